"""Google's answers as files: written by hand from its documentation, until ``make record-gcp`` records real ones.

    raise Refused(*recorded("bucket_of_a_stranger", {BUCKET: "taken"}))    # the response of the tests' server

    with recorder.records("bucket_of_a_stranger"):                         # in a test against a real project
        storage.get_bucket("test")

A file holds one request and its answer. Names, accounts, e-mail addresses and tokens of the real project never get
into one: ``scrub`` replaces them by the names of the tests' server, and ``private`` finds what it missed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

FOLDER = Path(__file__).parent / "google_recorded"
PROJECT, BUCKET, DATASET, JOB = "trips-123", "trips-123-lake", "zoomcamp", "job-of-the-test"
ACCOUNT = "robot@trips-123.iam.gserviceaccount.com"

_KEPT_HEADERS = ("Range",)
_SECRETS = "upload_id|uploader|access_token|refresh_token|key|signature"
_PATTERNS = (
    (re.compile(r"(?i)[a-z0-9._%+-]+(@|%40)[a-z0-9-]+(\.[a-z0-9-]+)+"), ACCOUNT),
    (re.compile(r"ya29\.[\w.-]+|eyJ[\w-]+\.[\w-]+\.[\w-]+|\b1//[\w-]{20,}"), "TOKEN"),
    (re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+"), r"\1TOKEN"),
    (re.compile(rf"((?:{_SECRETS})[\"']?\s*[=:]\s*[\"']?)[\w.~+/%=-]+"), r"\1TOKEN"),
    (re.compile(r"(?i)(projects?(?:number)?[\"']?\s*[/:=]\s*[\"']?)\d{6,}"), r"\g<1>123456"),
)


def recorded(name: str, names: Mapping[str, str] = {}) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a response, with these names instead of those of the file."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    answer = json.loads(_replaced(text, names))["answer"]
    return answer["status"], answer["body"]


def scrub(text: str, names: Mapping[str, str]) -> str:
    """Return a text without anything private to a real project: names, accounts and secrets are replaced.

    Args:
        text: a part of a request or an answer.
        names: the replacement for each private name.
    """
    text = _replaced(text, names)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def private(text: str, names: Mapping[str, str]) -> list[str]:
    """Return the private parts of a real project that a scrubbed text still contains; normally an empty list."""
    left = [name for name in names if name and name.lower() in text.lower()]
    mails = {match[0] for match in _PATTERNS[0][0].finditer(text)} - {ACCOUNT}
    return [*left, *sorted(mails), *re.findall(r"ya29\.|eyJ\w{10,}|PRIVATE KEY", text)]


def _replaced(text: str, names: Mapping[str, str]) -> str:
    """Return the text with all names replaced at once, the longest first, because one may be part of another."""
    known = {name.lower(): other for name, other in names.items() if name}
    if not known:
        return text
    pattern = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.sub(pattern, lambda match: known[match[0].lower()], text, flags=re.IGNORECASE)


@dataclass
class Recorder:
    """Writes answers to files.

    Attributes:
        names: the replacement for each private name.
        folder: the folder of the files; None to write nothing.
    """

    names: dict[str, str]
    folder: Path | None = None
    _last: requests.Response | None = field(default=None, init=False)

    def listen(self, *clients: Any) -> None:
        """Record the responses that Google's clients get from now on."""
        for client in clients:
            client._http.hooks["response"].append(self._note)

    def _note(self, response: requests.Response, **_: object) -> None:
        self._last = response

    @contextmanager
    def records(self, name: str, **names: str) -> Iterator[None]:
        """Write the last answer within the block to a file, whether it is an error or not.

        Args:
            name: the file's name without its suffix.
            names: further private names: ``job="4f1…"`` becomes the tests' own name of a job.
        """
        self._last = None
        try:
            yield
        finally:
            if self.folder and self._last is not None:
                replacements = {"job": JOB, "bucket": BUCKET, "dataset": DATASET}
                known = {**self.names, **{value: replacements[kind] for kind, value in names.items()}}
                write(self.folder / f"{name}.json", self._last, known)


def write(path: Path, response: requests.Response, names: Mapping[str, str]) -> None:
    """Write one request and its answer, scrubbed.

    Raises:
        ValueError: the file would contain something private to the real project; nothing is written.
    """
    asked = response.request
    answer = {
        "origin": f"recorded {date.today().isoformat()}",
        "request": {"method": asked.method, "path": urlsplit(asked.url or "").path},
        "answer": {
            "status": response.status_code,
            "headers": {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            "body": response.json() if response.content[:1] in (b"{", b"[") else {"text": response.text},
        },
    }
    text = scrub(json.dumps(answer, indent=2, ensure_ascii=False), names)
    if left := private(text, names):
        raise ValueError(f"{path.name} would contain {', '.join(left)}")
    path.write_text(f"{text}\n", encoding="utf-8")
