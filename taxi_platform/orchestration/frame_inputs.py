"""What an asset wants of an input that lies in a database: its rows as a frame, or a reference to them."""

from typing import Literal

import dagster as dg

Wanted = Literal["pandas", "arrow", "reference"]

_FRAMES: dict[str, Wanted] = {"pandas.DataFrame": "pandas", "pyarrow.Table": "arrow"}


def wanted_form(context: dg.InputContext) -> Wanted:
    """What the input's annotation asks for; told by its name, so that nothing heavy is imported to compare it with."""
    kind = context.dagster_type.typing_type
    module = getattr(kind, "__module__", "").partition(".")[0]
    return _FRAMES.get(f"{module}.{getattr(kind, '__name__', '')}", "reference")
