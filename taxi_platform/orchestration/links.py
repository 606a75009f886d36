"""The links on an asset's page in the UI: to the source of its data, to its description, and to a page of the docs."""

from typing import Any

import dagster as dg

from taxi_platform.settings import FILES
from taxi_platform.trips.services import Service

TRIP_RECORDS = "https://www.nyc.gov/site/tlc/about/tlc-trip-record-data.page"
RELEASES = "https://github.com/DataTalksClub/nyc-tlc-data/releases"
PRODUCTS = "https://dummyjson.com/docs/products"
DOCKER_HUB = "https://hub.docker.com/r/kestra/kestra"
GEMINI = "https://ai.google.dev/gemini-api/docs"
COURSE = "https://github.com/DataTalksClub/data-engineering-zoomcamp/tree/main/02-workflow-orchestration"
COURSES_MODELS = "https://github.com/DataTalksClub/data-engineering-zoomcamp/tree/main/04-analytics-engineering"


def links(page: str, **urls: str) -> dict[str, Any]:
    """Return metadata that link to addresses and to a page of the project, e.g. ``loading.md``."""
    addresses = {name.replace("_", " "): dg.MetadataValue.url(url) for name, url in urls.items()}
    path = FILES / "docs" / page  # not in an image or a wheel
    return {**addresses, "docs": dg.MetadataValue.path(path)} if path.exists() else addresses


def trip_links(service: Service, page: str) -> dict[str, Any]:
    """Return the links of an asset that holds a service's trips, among them the TLC's description of its columns."""
    dictionary = f"https://www.nyc.gov/assets/tlc/downloads/pdf/data_dictionary_trip_records_{service.dictionary}.pdf"
    source = RELEASES if service.released_until else TRIP_RECORDS
    return links(page, source=source, published_by=TRIP_RECORDS, data_dictionary=dictionary)
