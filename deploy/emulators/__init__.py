"""Emulators of Google Cloud for the demo and the tests: their image, their versions, starting them, the demo."""
