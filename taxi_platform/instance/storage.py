"""The storage under its name of version 0.1."""

from taxi_platform.orchestration.storage import StateStorage as StateStorage
