"""What is known of raw files: of a kept one from its note, of a removed one from Dagster's record of it."""

from typing import Any

import dagster as dg

from taxi_platform.checks.facts import Raw
from taxi_platform.ledger.materializations import latest_materializations
from taxi_platform.sources.cache import RawFiles
from taxi_platform.trips.keys import raw_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service


class RawFacts:
    """The raw files of one service.

    Args:
        store: where they are kept.
        instance: which of them Dagster has on record.
        service: whose.
    """

    def __init__(self, store: RawFiles, instance: dg.DagsterInstance, service: Service) -> None:
        self._store = store
        self._instance = instance
        self._service = service
        self._on_record: dict[str, Raw] | None = None

    def of(self, month: Month) -> Raw | None:
        """What is known of a month's file, if anything is."""
        file = self._store.kept(self._service, month)
        if file:
            return Raw(file.sha256, file.rows)
        if self._on_record is None:
            self._on_record = dict(self._recorded())
        return self._on_record.get(str(month))

    def _recorded(self):
        for made, _ in latest_materializations(self._instance, dg.AssetKey(raw_key(self._service.table))):
            facts: dict[str, Any] = {name: value.value for name, value in made.metadata.items()}
            if "sha256" in facts and "rows_in_file" in facts:
                yield str(made.partition), Raw(facts["sha256"], facts["rows_in_file"])
