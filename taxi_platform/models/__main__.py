"""``python -m taxi_platform.models`` makes the models' manifests, as the image does, and says where they are."""

from taxi_platform.models.project import TARGETS, manifest_of
from taxi_platform.settings import settings

if __name__ == "__main__":
    for target in TARGETS:
        print(manifest_of(settings().data_dir, target))
