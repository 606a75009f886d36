"""``python -m taxi_platform.models``: compile the manifests that a wheel or an image comes with."""

from taxi_platform.models.project import COMPILED, FOLDER, TARGETS, compile_target, is_installed

if __name__ == "__main__":
    for target in filter(is_installed, TARGETS):
        compile_target(FOLDER, FOLDER / COMPILED, target)
        print(FOLDER / COMPILED / f"{target}.json")
