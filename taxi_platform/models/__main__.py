"""``python -m taxi_platform.models`` makes the models' manifest, as the image does, and says where it is."""

from taxi_platform.models.project import manifest_of
from taxi_platform.settings import settings

if __name__ == "__main__":
    print(manifest_of(settings().data_dir))
