"""A proposal as a patch that ``git apply`` takes. Pure."""

from collections.abc import Iterator, Mapping


def patch(files: Mapping[str, str]) -> str:
    """The patch that makes these files.

    Args:
        files: texts by path, each ending with a line break, as ruff leaves them.
    """
    return "".join(line for path, text in sorted(files.items()) for line in _made(path, text))


def _made(path: str, text: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    yield f"diff --git a/{path} b/{path}\nnew file mode 100644\n"
    if lines:
        yield f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n"
        yield from (f"+{line}" for line in lines)
