"""What Python runs first in an emulator: fewer searches for garbage, a fifth of the time of parsing a statement."""

import gc

gc.set_threshold(100_000, 50, 1000)
