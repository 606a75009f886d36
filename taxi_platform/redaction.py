"""Texts without the passwords that they may contain. Where a text goes afterwards is not decided here.

Pure. A secret is found in two ways: by its value, where the settings know it, and by the forms in which others write it
(``scheme://user:password@host``, ``password=…``), because errors of libraries quote a secret in part or differently.
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import partial
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

SHOWN = "***"
_SHORTEST = 4  # characters; a shorter secret would be found inside ordinary words: only the patterns below find it

# Greedy up to the last @ of the word: a password may have a slash or an @ in it.
_USER_INFO = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*://)[^\s"'<>]*@""")
_PARAMETER = re.compile(
    r"""(?i)\b((?:[\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key|signature|credential)|sig)\s*=\s*)"""
    r"""('(?:[^'\\]|\\.)*'|(?:[^\s&'"\\]|\\.)+)"""
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with ``***`` instead of secrets, plain or percent-encoded, and of whatever looks like one."""
    for spelled in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(spelled, SHOWN)
    return _PARAMETER.sub(rf"\g<1>{SHOWN}", _USER_INFO.sub(rf"\g<1>{SHOWN}@", text))


def kind_of(data: bytes) -> str:
    """Return what unknown data looks like, without quoting it: it may come from anywhere."""
    kinds = {b"<": "a web page", b"\x1f\x8b": "gzip data", b"PAR1": "a Parquet file", b"PK": "a zip archive"}
    start = data[:60].lstrip()
    known = next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)
    return known or ("binary data" if any(byte < 9 or byte > 126 for byte in start) else "some text")


def public(address: str) -> str:
    """Return the address without what may be secret: the credentials before its host, its query and its fragment."""
    return re.split(r"[?#]", re.sub(r"//[^/]*@", f"//{SHOWN}@", address, count=1), maxsplit=1)[0]


def secrets_of(text: str) -> Iterator[str]:
    """Yield the passwords in one or more addresses, or in a connection string."""
    for match in _PARAMETER.finditer(text):
        value = match[2][1:-1] if match[2].startswith("'") else match[2]
        yield value
        yield re.sub(r"\\(.)", r"\1", value)  # as libpq reads it
    for address in (text, *text.split()):
        yield from _passwords(address)


def _passwords(address: str) -> Iterator[str]:
    try:
        user_info = urlsplit(address).netloc.rpartition("@")[0]
    except ValueError:  # a bracket that is never closed
        user_info = address.rpartition("@")[0]
    yield user_info.partition(":")[2]
    # For ``urlsplit``, a slash, a question mark or a hash ends the host, but people may write one in a password.
    yield address.partition("://")[2].rpartition("@")[0].partition(":")[2]


def _spellings(secrets: Iterable[str]) -> set[str]:
    """Return each secret unchanged, as an address may contain it, and as Python and JSON quote it."""
    in_addresses = (str, quote, partial(quote, safe=""), quote_plus, unquote, unquote_plus)
    in_code = (repr, json.dumps, partial(json.dumps, ensure_ascii=False))
    found = {spell(secret) for secret in secrets for spell in in_addresses}
    found |= {spell(spelled)[1:-1] for spelled in found for spell in in_code}
    return {spelled for spelled in found if len(spelled) >= _SHORTEST}
