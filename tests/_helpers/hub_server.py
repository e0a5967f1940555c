"""A Hub on loopback: as much of the HTTP interface of the Hugging Face Hub as huggingface_hub uses here, and faults to inject.

Repositories with branches, files over plain LFS, uploads, pull requests, private and gated repositories; beside that, the two
addresses of Google Drive that gdown asks. A fault changes the answers to the requests that it matches.
"""

import base64
import hashlib
import json
import re
import struct
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET

LFS = (".safetensors", ".pth", ".bin", ".png")  # files that are stored beside Git, with their sha256
WARNING_PAGE = (
    "<!DOCTYPE html><html><body><p>Google Drive can't scan this file for viruses.</p>"
    '<form id="download-form" action="https://drive.usercontent.google.com/download" method="get">'
    '<input type="hidden" name="id" value="{id}"><input type="hidden" name="confirm" value="t"></form></body></html>'
)


@dataclass(frozen=True)
class Answer:
    """What the server sends.

    Attributes:
        status: HTTP status.
        body: what follows the headers.
        headers: beside Content-Length, which is that of the body unless it is here.
        reset_after: bytes of the body after which the connection is reset; None for never.
        delay: seconds between the first half of the body and the second.
        pace: seconds between one byte of the body and the next.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset_after: int | None = None
    delay: float = 0.0
    pace: float = 0.0


Fault = Callable[[Answer], Answer]


def data(content: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer that holds JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **named})


def error(status: int, code: str = "", **headers: str) -> Answer:
    """Return an error in the Hub's form."""
    return data({"error": code}, status, **({"X_Error_Code": code, "X_Error_Message": code} if code else {}), **headers)


# ---- faults


def status(number: int, **headers: str) -> Fault:
    """Answer with another status, and no content."""
    return lambda answer: replace(answer, status=number, body=b"", headers={n.replace("_", "-"): v for n, v in headers.items()})


def reset(answer: Answer) -> Answer:
    """Reset the connection in the middle of the body."""
    return replace(answer, reset_after=len(answer.body) // 2)


def short(answer: Answer) -> Answer:
    """Send half of the body as if it were all."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def wrong_bytes(answer: Answer) -> Answer:
    """Change the last byte."""
    return replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1]))


def slow(answer: Answer) -> Answer:
    """Stop for a while in the middle of the body."""
    return replace(answer, delay=1.0)


def stall(answer: Answer) -> Answer:
    """Stop in the middle of the body for longer than any test takes."""
    return replace(answer, delay=60.0)


def drip(answer: Answer) -> Answer:
    """Send the body byte by byte, each in time."""
    return replace(answer, pace=0.05)


def instead(content: object) -> Fault:
    """Answer with other JSON."""
    return lambda answer: data(content)


def page(answer: Answer) -> Answer:
    """Send a web page, as networks that want a login do."""
    return Answer(200, b"<!DOCTYPE html><html>log in</html>", {"Content-Type": "text/html"})


@dataclass(frozen=True)
class File:
    """A file at a commit."""

    content: bytes
    lfs: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()


class Repository:
    """A model repository; ``commits`` holds the files at each."""

    def __init__(self, *, private: bool = False, gated: bool = False) -> None:
        self.private, self.gated = private, gated
        self.commits: dict[str, dict[str, File]] = {}
        self.refs: dict[str, str] = {}
        self.pull_requests = 0
        self.commit({}, "main")

    def commit(self, files: Mapping[str, File], branch: str) -> str:
        commit = hashlib.sha1(f"{len(self.commits)} {sorted(files)} {id(self)}".encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.refs[branch] = commit
        return commit

    def refuses(self, known: bool) -> Answer | None:
        """Return the refusal that who asks gets, if any; ``known`` is whether with a token."""
        if self.private and not known:
            return error(401, "RepoNotFound")
        if self is MISSING:
            return error(404, "RepoNotFound")
        return error(403, "GatedRepo") if self.gated else None

    def at(self, revision: str) -> tuple[str, dict[str, File]] | None:
        commit = self.refs.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


MISSING = Repository(private=True)  # what the Hub says of a repository that does not exist


class HubServer:
    """The server; use it as a context.

    Attributes:
        repositories: by name.
        drive: files on Google Drive, by identifier.
        log: method and path of all requests.
        waits: seconds that the client would have waited, if the test replaces ``time.sleep`` by a note of it.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.drive: dict[str, bytes] = {}
        self.log: list[str] = []
        self.waits: list[float] = []
        self._uploads: dict[str, bytes] = {}
        self._faults: list[list] = []
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._server.shutdown_request = self._server.close_request  # a shutdown would end the connection in order
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, files: Mapping[str, bytes], *, branch: str = "main", **access: bool) -> str:
        """Add files to a repository, which is made if need be; return the commit."""
        with self._lock:
            repository = self.repositories.setdefault(name, Repository(**access))
            _, before = repository.at(branch) or repository.at("main")
            new = {path: File(content, path.endswith(LFS)) for path, content in files.items()}
            return repository.commit(before | new, branch)

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """Return the files of a repository."""
        return {path: file.content for path, file in self.repositories[name].at(revision)[1].items()}

    def fail(self, requests: str, fault: Fault, times: int = 10**6) -> None:
        """Let the next ``times`` requests fail whose method and path match a regular expression."""
        self._faults.append([re.compile(requests), fault, times])

    def heal(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to a request, faults included."""
        with self._lock:
            self.log.append(f"{method} {target}")
            answer = self._route(method, urllib.parse.urlsplit(target), headers, body)
            for fault in self._faults:
                pattern, change, left = fault
                if left and pattern.search(f"{method} {target}"):
                    fault[2] -= 1
                    answer = change(answer)
            return answer

    def _route(self, method: str, url: urllib.parse.SplitResult, headers: Mapping[str, str], body: bytes) -> Answer:
        query = urllib.parse.parse_qs(url.query)
        for pattern, handle in (
            (r"/drive/(uc|download)", lambda _: self._drive(query)),
            (r"/cdn/(\w+)", lambda match: self._cdn(match[1])),
            (r"/_lfs/(\w+)", lambda match: self._upload(match[1], body)),
            (r"/api/validate-yaml", lambda _: data({"errors": [], "warnings": []})),
            (r"/api/repos/create", lambda _: self._create(json.loads(body))),
        ):
            match = re.fullmatch(pattern, url.path)
            if match:
                return handle(match)
        for pattern, use in (
            (r"/api/models/(?P<name>[^/]+/[^/]+)(/(?P<rest>.*))?", self._api),
            (r"/(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/(?P<rest>batch)", self._lfs_batch),
            (r"/(?P<name>[^/]+/[^/]+)/resolve/(?P<rest>.*)", self._resolve),
        ):
            match = re.fullmatch(pattern, url.path)
            if match:
                repository = self.repositories.get(match["name"], MISSING)
                refused = repository.refuses("Authorization" in headers)
                return refused or use(repository, match["rest"] or "", query, body)
        return error(404)

    def _cdn(self, sha256: str) -> Answer:
        commits = [files for repository in self.repositories.values() for files in repository.commits.values()]
        file = next(file for files in commits for file in files.values() if file.sha256 == sha256)
        return Answer(200, file.content, {"ETag": f'"{file.etag}"'})

    def _upload(self, sha256: str, content: bytes) -> Answer:
        self._uploads[sha256] = content
        return Answer()

    def _drive(self, query: Mapping[str, list[str]]) -> Answer:
        identifier = query["id"][0]
        if identifier not in self.drive:
            return Answer(404, b"<!DOCTYPE html>not found", {"Content-Type": "text/html"})
        if "confirm" not in query:
            return Answer(200, WARNING_PAGE.format(id=identifier).encode(), {"Content-Type": "text/html; charset=utf-8"})
        disposition = 'attachment; filename="weights.pth"'
        return Answer(200, self.drive[identifier], {"Content-Type": "application/x", "Content-Disposition": disposition})

    def _create(self, wanted: Mapping[str, str]) -> Answer:
        name = f"{wanted.get('organization') or 'tester'}/{wanted['name']}"
        known = name in self.repositories
        if not known:
            self.repositories[name] = Repository(private=bool(wanted.get("private")) or wanted.get("visibility") == "private")
        return data({"url": f"{self.url}/{name}", "name": name, "id": name}, 409 if known else 200)

    def _api(self, repository: Repository, rest: str, query: Mapping[str, list[str]], body: bytes) -> Answer:
        operation, _, revision = rest.partition("/")
        revision = urllib.parse.unquote(revision) or "main"
        if operation == "branch":
            repository.refs.setdefault(revision, repository.refs["main"])
            return data({})
        found = repository.at(revision)
        if found is None:
            return error(404, "RevisionNotFound")
        commit, files = found
        if operation == "commit":
            return self._commit(repository, revision, files, query, body)
        sizes = {
            path: {"sha256": f.sha256, "oid": f.sha256, "size": len(f.content), "pointerSize": 134} for path, f in files.items()
        }
        stored = {path: {"lfs": sizes[path]} if file.lfs else {} for path, file in files.items()}
        if operation == "tree":
            return data(
                [
                    {"type": "file", "path": path, "size": len(file.content), "oid": file.etag} | stored[path]
                    for path, file in files.items()
                ]
            )
        if operation == "preupload":
            wanted = [file["path"] for file in json.loads(body)["files"]]
            modes = {path: "lfs" if path.endswith(LFS) else "regular" for path in wanted}
            return data({"files": [{"path": path, "uploadMode": modes[path], "shouldIgnore": False} for path in wanted]})
        siblings = [
            {"rfilename": path, "size": len(file.content), "blobId": file.etag} | stored[path] for path, file in files.items()
        ]
        known = {"_id": "0", "id": self._name(repository), "sha": commit, "private": repository.private, "tags": []}
        return data(known | {"siblings": siblings})

    def _commit(
        self, repository: Repository, revision: str, before: Mapping[str, File], query: Mapping[str, list[str]], body: bytes
    ) -> Answer:
        files = dict(before)
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), False)
            elif entry["key"] == "lfsFile":
                files[value["path"]] = File(self._uploads[value["oid"]], True)
        extra = {}
        if query.get("create_pr") == ["1"]:
            repository.pull_requests += 1
            revision = f"refs/pr/{repository.pull_requests}"
            extra = {"pullRequestUrl": f"{self.url}/{self._name(repository)}/discussions/{repository.pull_requests}"}
        commit = repository.commit(files, revision)
        return data({"commitUrl": f"{self.url}/{self._name(repository)}/commit/{commit}", "commitOid": commit, **extra})

    def _name(self, repository: Repository) -> str:
        return next(name for name, known in self.repositories.items() if known is repository)

    def _lfs_batch(self, repository: Repository, rest: str, query: Mapping[str, list[str]], body: bytes) -> Answer:
        wanted = json.loads(body)["objects"]
        actions = [{**o, "actions": {"upload": {"href": f"{self.url}/_lfs/{o['oid']}"}}} for o in wanted]
        return data({"transfer": "basic", "objects": actions})

    def _resolve(self, repository: Repository, rest: str, query: Mapping[str, list[str]], body: bytes) -> Answer:
        revision, _, path = rest.partition("/")
        found = repository.at(urllib.parse.unquote(revision))
        if found is None:
            return error(404, "RevisionNotFound")
        commit, files = found
        file = files.get(urllib.parse.unquote(path))
        if file is None:
            return error(404, "EntryNotFound", X_Repo_Commit=commit)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
        if file.lfs:
            headers |= {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
        return Answer(200, file.content, headers)


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _handle(self) -> None:
        answer = self.hub.respond(self.command, self.path, self.headers, self._body())
        body, code, extra = answer.body, answer.status, dict(answer.headers)
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if start and code == 200:
            extra["Content-Range"] = f"bytes {start[1]}-{len(body) - 1}/{len(body)}"
            body, code = body[int(start[1]) :], 206
        try:
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            for i in range(len(body) if answer.pace else 0):
                self.wfile.write(body[i : i + 1])
                threading.Event().wait(answer.pace)
            if answer.pace:
                return
            half = len(body) // 2 if answer.delay else 0
            self.wfile.write(body[:half])
            threading.Event().wait(answer.delay)  # time.sleep may be replaced by a test
            self.wfile.write(body[half : answer.reset_after])
            if answer.reset_after is not None:
                self.wfile.flush()
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))  # closing then resets
                self.close_connection = True
        except OSError:  # the client has gone
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815
