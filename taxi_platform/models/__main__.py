"""``python -m taxi_platform.models``: compile the manifests, as the image does, and print where they are."""

from taxi_platform.models.project import TARGETS, find_manifest
from taxi_platform.settings import settings

if __name__ == "__main__":
    for target in TARGETS:
        print(find_manifest(settings().data_dir, target))
