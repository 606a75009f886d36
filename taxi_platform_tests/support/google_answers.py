"""Google's responses: buckets, objects, datasets, secrets and tokens, all in memory. HTTP does not belong here.

Its errors are the files of ``google_recorded/``, as far as a real project can be made to answer with them.
Unlike the emulators, it checks preconditions and checksums, and knows locations and buckets of others.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import unquote

import google_crc32c

from taxi_platform_tests.support.recordings import BUCKET, DATASET, recorded

Json = dict[str, Any]
Reply = tuple[int, Mapping[str, str], Json]  # status, headers, body
OBJECTS = ("storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list")


@dataclass
class Asked:
    """One request.

    Attributes:
        kept: of an upload's part, how many bytes are kept, as if the server were too busy for the rest.
        ended: of a job, the fields with which it ends; nothing is done.
        looks: of a job, how many polls it takes until it has ended.
        during: of a job, called while it runs.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    kept: int | None = None
    ended: Mapping[str, Any] | None = None
    looks: int = 0
    during: Callable[[], object] | None = None

    @property
    def json(self) -> Json:
        return json.loads(self.body)


@dataclass
class Object:
    """One object: its bytes, and its fields in the API."""

    content: bytes
    properties: Json


@dataclass
class Session:
    """A resumable upload that has begun."""

    bucket: str
    properties: Json
    query: Mapping[str, str]
    content: bytearray = field(default_factory=bytearray)


class Refused(Exception):
    """An error in Google's form."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": status, "message": message, "errors": [{"message": message, "reason": reason}]}}

    @classmethod
    def as_recorded(cls, name: str, names: Mapping[str, str] = {}) -> "Refused":
        """Return an error of ``google_recorded/``, with these names instead of those of the file."""
        status, body = recorded(name, names)
        refused = cls(status, name)
        refused.body = body
        return refused


class Google:
    """The content of the emulated project.

    Attributes:
        buckets: the buckets by name, as the API describes them.
        strangers: buckets that exist and belong to somebody else.
        objects: the objects by bucket and name.
        datasets: the datasets by name.
        tables: the labels of the tables by name, the same tables in every dataset.
        granted: the account's permissions for a bucket's objects.
        secrets: the texts of secrets, by version.
        project: the only project.
    """

    def __init__(self) -> None:
        super().__init__()
        self.buckets: dict[str, Json] = {}
        self.strangers: set[str] = set()
        self.objects: dict[tuple[str, str], Object] = {}
        self.datasets: dict[str, Json] = {}
        self.tables: dict[str, Mapping[str, str]] = {}
        self.granted = set(OBJECTS)
        self.secrets: dict[str, str] = {}
        self.project = "trips-123"
        self._sessions: dict[str, Session] = {}
        self._generations = count(1_600_000_000_000_000)
        self._lock = threading.RLock()

    def add_bucket(self, name: str, location: str = "EU") -> None:
        """Add a bucket to the project."""
        self.buckets[name] = {"name": name, "location": location.upper(), "kind": "storage#bucket"}

    def add_dataset(self, name: str, location: str = "EU") -> None:
        """Add a dataset to the project."""
        reference = {"projectId": self.project, "datasetId": name}
        self.datasets[name] = {"datasetReference": reference, "location": location, "kind": "bigquery#dataset"}

    def put(self, bucket: str, name: str, content: bytes, properties: Mapping[str, Any] = {}) -> Json:
        """Store an object, as another writer would, and return its fields."""
        made = {
            **properties,
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "generation": str(next(self._generations)),
            "size": str(len(content)),
            "crc32c": _crc32c(content),
            "storageClass": "STANDARD",
        }
        self.objects[bucket, name] = Object(content, made)
        return made

    def answer(self, asked: Asked) -> Reply:
        """Return status, headers and body of the usual response.

        Raises:
            Refused: the usual response is an error.
        """
        with self._lock:
            for pattern, act in ACTIONS:
                if match := re.fullmatch(pattern, f"{asked.method} {asked.path}"):
                    return act(self, asked, *map(unquote, match.groups()))
        raise Refused(501, f"{asked.method} {asked.path} is not known here")

    # Buckets and datasets

    def _get_bucket(self, asked: Asked, name: str) -> Reply:
        return 200, {}, self._bucket(name)

    def _bucket(self, name: str) -> Json:
        if name in self.strangers:
            raise Refused.as_recorded("bucket_of_a_stranger", {BUCKET: name})
        if name not in self.buckets:
            raise Refused.as_recorded("bucket_missing", {BUCKET: name})
        return self.buckets[name]

    def _make_bucket(self, asked: Asked) -> Reply:
        name = asked.json["name"]
        if asked.query["project"] != self.project:
            raise Refused(400, f"Unknown project id: {asked.query['project']}", "invalid")
        if name in self.buckets or name in self.strangers:
            raise Refused.as_recorded("bucket_name_taken", {BUCKET: name})
        self.add_bucket(name, asked.json.get("location", "US"))
        self.buckets[name] |= {key: value for key, value in asked.json.items() if key != "location"}
        return 200, {}, self.buckets[name]

    def _test_permissions(self, asked: Asked, name: str) -> Reply:
        self._bucket(name)
        return 200, {}, {"permissions": sorted(self.granted)}

    def _get_dataset(self, asked: Asked, project: str, name: str) -> Reply:
        if project != self.project:
            raise Refused(404, f"Not found: Project {project}", "notFound")
        if name not in self.datasets:
            raise Refused.as_recorded("dataset_missing", {DATASET: name})
        return 200, {}, self.datasets[name]

    def _make_dataset(self, asked: Asked, project: str) -> Reply:
        if project != self.project:
            raise Refused(404, f"Not found: Project {project}", "notFound")
        name = asked.json["datasetReference"]["datasetId"]
        if name in self.datasets:
            raise Refused.as_recorded("dataset_exists", {DATASET: name})
        self.add_dataset(name)
        self.datasets[name] |= asked.json
        return 200, {}, self.datasets[name]

    def _list_tables(self, asked: Asked, project: str, dataset: str) -> Reply:
        names = {"projectId": project, "datasetId": dataset}
        found = [
            {"tableReference": {**names, "tableId": name}, "labels": labels} for name, labels in self.tables.items()
        ]
        return 200, {}, {"tables": found}

    def _delete_table(self, asked: Asked, project: str, dataset: str, name: str) -> Reply:
        del self.tables[name]
        return 204, {}, {}

    def _delete_dataset(self, asked: Asked, project: str, name: str) -> Reply:
        if self.tables and asked.query.get("deleteContents") != "true":
            raise Refused(400, f"Dataset {project}:{name} is still in use", "resourceInUse")
        del self.datasets[name]
        return 204, {}, {}

    def _delete_bucket(self, asked: Asked, name: str) -> Reply:
        if any(bucket == name for bucket, _ in self.objects):
            raise Refused(409, "The bucket you tried to delete is not empty.", "conflict")
        del self.buckets[name]
        return 204, {}, {}

    def _make_job(self, asked: Asked, project: str) -> Reply:
        return 200, {}, {**asked.json, "status": {"state": "DONE"}, "statistics": {"totalBytesProcessed": "0"}}

    # Objects

    def forget_uploads(self) -> None:
        """Drop the unfinished uploads, as Google does after a week."""
        self._sessions.clear()

    def _list(self, asked: Asked, bucket: str) -> Reply:
        self._bucket(bucket)
        prefix = asked.query.get("prefix", "")
        found = [one.properties for (at, name), one in self.objects.items() if at == bucket and name.startswith(prefix)]
        return 200, {}, {"kind": "storage#objects", "items": found}

    def _delete(self, asked: Asked, bucket: str, name: str) -> Reply:
        if (bucket, name) not in self.objects:
            raise Refused.as_recorded("object_missing", {BUCKET: bucket, "raw/absent": name})
        self._refuse_late(bucket, name, asked.query)
        del self.objects[bucket, name]
        return 204, {}, {}

    def _begin_upload(self, asked: Asked, bucket: str) -> Reply:
        self._bucket(bucket)
        if asked.query["uploadType"] == "multipart":
            boundary = asked.body.partition(b"\r\n")[0]
            parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in asked.body.split(boundary)]
            return self._finish(Session(bucket, json.loads(parts[1]), asked.query, bytearray(parts[2])))
        self._refuse_late(bucket, asked.json["name"], asked.query)
        key = f"session-{next(self._generations)}"
        self._sessions[key] = Session(bucket, asked.json, asked.query)
        return 200, {"Location": f"{self.url}{asked.path}?uploadType=resumable&upload_id={key}"}, {}

    def _continue_upload(self, asked: Asked, bucket: str) -> Reply:
        session = self._sessions.get(asked.query["upload_id"])
        if session is None:
            raise Refused(404, "No such upload session.", "notFound")
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", asked.headers["content-range"])
        assert match is not None
        first, total = int(match[1]), int(match[3])
        if first > len(session.content):
            raise Refused(503, "a part is missing", "backendError")
        session.content[first:] = asked.body[: asked.kept]
        if len(session.content) < total:
            return 308, {"Range": f"bytes=0-{len(session.content) - 1}"} if session.content else {}, {}
        return self._finish(session)

    def _finish(self, session: Session) -> Reply:
        name, content = session.properties["name"], bytes(session.content)
        self._refuse_late(session.bucket, name, session.query)
        declared = session.properties.get("crc32c")
        if declared not in (None, _crc32c(content)):
            raise Refused.as_recorded("object_damaged")
        return 200, {}, self.put(session.bucket, name, content, session.properties)

    def _refuse_late(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        wanted = query.get("ifGenerationMatch")
        there = self.objects.get((bucket, name))
        if wanted is not None and wanted != (there.properties["generation"] if there else "0"):
            raise Refused.as_recorded("object_replaced")

    # Secrets and tokens

    def _read_secret(self, asked: Asked, version: str) -> Reply:
        if version not in self.secrets:
            raise Refused(404, f"Secret [{version}] not found or has no versions.", "notFound")
        data = base64.b64encode(self.secrets[version].encode()).decode()
        return 200, {}, {"name": version, "payload": {"data": data}}

    def _give_token(self, asked: Asked) -> Reply:
        return 200, {}, {"access_token": "token-of-the-test", "expires_in": 3600, "token_type": "Bearer"}


Action = Callable[..., Reply]
ACTIONS: list[tuple[str, Action]] = [
    (r"GET /storage/v1/b/([^/]+)", Google._get_bucket),
    (r"POST /storage/v1/b", Google._make_bucket),
    (r"DELETE /storage/v1/b/([^/]+)", Google._delete_bucket),
    (r"GET /storage/v1/b/([^/]+)/iam/testPermissions", Google._test_permissions),
    (r"GET /storage/v1/b/([^/]+)/o", Google._list),
    (r"DELETE /storage/v1/b/([^/]+)/o/([^/]+)", Google._delete),
    (r"POST /upload/storage/v1/b/([^/]+)/o", Google._begin_upload),
    (r"PUT /upload/storage/v1/b/([^/]+)/o", Google._continue_upload),
    (r"GET /bigquery/v2/projects/([^/]+)/datasets/([^/]+)", Google._get_dataset),
    (r"POST /bigquery/v2/projects/([^/]+)/datasets", Google._make_dataset),
    (r"DELETE /bigquery/v2/projects/([^/]+)/datasets/([^/]+)", Google._delete_dataset),
    (r"GET /bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables", Google._list_tables),
    (r"DELETE /bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)", Google._delete_table),
    (r"POST /bigquery/v2/projects/([^/]+)/jobs", Google._make_job),
    (r"GET /v1/(projects/[^/]+/secrets/[^/]+/versions/[^/:]+):access", Google._read_secret),
    (r"POST /token", Google._give_token),
]


def _crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
