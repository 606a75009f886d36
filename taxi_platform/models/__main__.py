"""``python -m taxi_platform.models``: compile the manifests of the package, after an edit of the models."""

from taxi_platform.models.project import COMPILED, FOLDER, TARGETS, compile_target, fingerprint, read_manifest

if __name__ == "__main__":
    for target in TARGETS:
        place = FOLDER / COMPILED / f"{target}.json"
        if not place.exists() or read_manifest(place)["fingerprint"] != fingerprint():
            compile_target(FOLDER, place.parent, target)
        print(place)
