"""A stand-in for the Hugging Face Hub on 127.0.0.1, with the requests and headers that a download uses."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "1234567890abcdef1234567890abcdef12345678"
LARGE = (".bin", ".safetensors", ".pth", ".gguf", ".model")  # what git LFS keeps


class Hub:
    """Repositories, and what is to go wrong.

    Args:
        repositories: "owner/name" -> file name -> content.
    """

    def __init__(self, repositories: dict[str, dict[str, bytes]]) -> None:
        self.repositories = repositories
        self.gated: set[str] = set()
        self.cut_after: dict[str, int] = {}  # file -> bytes after which the line breaks, then 503 until it is mended
        self.ignore_range = False
        self.corrupt: set[str] = set()
        self.extra_names: list[str] = []  # listed, not there
        self.requests: list[tuple[str, str, str | None]] = []  # (method, path, Range)
        self.url = ""

    def listing(self, repository: str) -> dict[str, object]:
        """What /api/models/{repository}/revision/{revision}?blobs=true answers."""
        siblings = []
        for name, content in self.repositories[repository].items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
            if name.endswith(LARGE):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        siblings += [{"rfilename": name, "size": 1, "blobId": "0" * 40} for name in self.extra_names]
        gated = "manual" if repository in self.gated else False
        return {"id": repository, "sha": COMMIT, "private": False, "gated": gated, "siblings": siblings, "tags": []}

    def ranges(self, name: str) -> list[str | None]:
        """The Range header of every GET of a file, in order."""
        return [asked for method, path, asked in self.requests if method == "GET" and path.endswith("/" + name)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        if listing := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", path):
            self._list(*listing.groups())
        elif file := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(*file.groups())
        else:
            self._refuse(404, "RepoNotFound")

    def _list(self, repository: str, revision: str) -> None:
        if repository not in self.hub.repositories:
            self._refuse(401, "RepoNotFound")
        elif revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        else:
            body = json.dumps(self.hub.listing(repository)).encode()
            self._answer(200, body, {"Content-Type": "application/json"})

    def _file(self, repository: str, revision: str, name: str) -> None:
        content = self.hub.repositories[repository].get(name)
        token = self.headers.get("Authorization")
        if repository in self.hub.gated and token != "Bearer hf_good":
            return self._refuse(403 if token else 401, "GatedRepo")
        if content is None or revision != COMMIT:
            return self._refuse(404, "EntryNotFound")
        if name in self.hub.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        cut = self.hub.cut_after.get(name)
        if cut is not None and len(self.hub.ranges(name)) > 1:
            return self._answer(503, b"", {})
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(asked[1]) if asked and not self.hub.ignore_range else 0
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        if name.endswith(LARGE):
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"'}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._answer(206 if start else 200, content[start:], headers, cut)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self._answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "refused"})


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Answer requests in a thread for as long as the block runs."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
