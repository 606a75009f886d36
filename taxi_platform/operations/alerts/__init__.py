"""Messages about failed runs: what they say, to whom they still have to go, and how they get there."""
