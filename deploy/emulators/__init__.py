"""Emulators of Google Cloud for the demo and the tests: their image and versions, how they are started, the demo."""
