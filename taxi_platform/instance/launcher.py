"""The run launcher under its name of version 0.1."""

from taxi_platform.orchestration.launcher import WatchedRunLauncher as WatchedRunLauncher
