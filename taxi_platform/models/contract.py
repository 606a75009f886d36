"""The descriptions of the trips' columns, to which the models' files refer: generated from the services' contracts.

``python -m taxi_platform.models.contract`` writes them; a test fails when they differ from the contracts.
"""

from taxi_platform.models.project import FOLDER
from taxi_platform.trips import zones
from taxi_platform.trips.services import SERVICES, column_comments

MEANINGS = FOLDER / "models/staging/_contract.md"
_NOTE = "{# Generated from taxi_platform/trips/{columns,services}.py by `python -m taxi_platform.models.contract`. #}"


def meanings() -> str:
    """Return what the file contains: a block for each column of a service, and of the zone lookup."""
    texts = {
        **{
            f"{service.name}__{name}": text
            for service in SERVICES.values()
            for name, text in column_comments(service).items()
        },
        **{f"{zones.TABLE}__{name}": text for name, (_, text) in zones.COLUMNS.items()},
    }
    return "\n".join([_NOTE, *(f"{{% docs {name} %}}{text}{{% enddocs %}}" for name, text in texts.items()), ""])


if __name__ == "__main__":
    MEANINGS.write_text(meanings(), encoding="utf-8")
    print(MEANINGS)
