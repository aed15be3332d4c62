"""A hub of one model: its cache as huggingface_hub lays it out, and a server of it on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_cache(
    cache: Path, id_: str, folder: Path, refs: tuple[str, ...] = ("main",), commit: str = COMMIT
) -> Path:
    """The snapshot of a repository with a folder's files: links to blobs, refs to the commit."""
    storage = cache / f"models--{id_.replace('/', '--')}"
    snapshot = storage / "snapshots" / commit
    for path in (path for path in folder.rglob("*") if path.is_file()):
        blob = storage / "blobs" / blob_name(path)
        link = snapshot / path.relative_to(folder)
        for place in (blob, link):
            place.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(path.read_bytes())
        link.symlink_to(os.path.relpath(blob, link.parent))
    for ref in refs:
        (storage / "refs").mkdir(exist_ok=True)
        (storage / "refs" / ref).write_text(commit)
    return snapshot


def blob_name(path: Path) -> str:
    """sha256 of what git keeps elsewhere, git's own sha1 of the rest."""
    data = path.read_bytes()
    if path.suffix in (".safetensors", ".bin"):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Served(ThreadingHTTPServer):
    """What is served, and what was asked for."""

    def __init__(self, id_: str, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.id, self.folder = id_, folder
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    @property
    def downloaded(self) -> set[str]:
        return {path.split(f"/resolve/{COMMIT}/")[1] for path in self.asked if "/resolve/" in path}


class Handler(BaseHTTPRequestHandler):
    """The part of the hub's interface that a download needs, for one model at one commit."""

    server: Served

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, body: bool) -> None:
        path, folder, id_ = self.path.partition("?")[0], self.server.folder, self.server.id
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        resolve = f"/{id_}/resolve/{COMMIT}/"
        if path == f"/api/models/{id_}/tree/{COMMIT}":
            self.send([entry(folder, file) for file in files])
        elif path.removeprefix(f"/api/models/{id_}") in ("", "/revision/main", "/revision/v1"):
            names = [{"rfilename": p.relative_to(folder).as_posix()} for p in files]
            self.send({"id": id_, "sha": COMMIT, "siblings": names})
        elif path.startswith(resolve):
            file = folder / path.removeprefix(resolve)
            about = {"ETag": f'"{blob_name(file)}"', "X-Repo-Commit": COMMIT}
            self.send(file.read_bytes(), body=body, **about)
        else:
            error = "RevisionNotFound" if id_ in path else "RepoNotFound"
            self.send(b"", 404, body, **{"X-Error-Code": error})

    def send(self, said: object, code: int = 200, body: bool = True, **headers: str) -> None:
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


def entry(folder: Path, path: Path) -> dict[str, object]:
    """A file in the listing of the repository."""
    name, size = blob_name(path), path.stat().st_size
    said = {"path": path.relative_to(folder).as_posix(), "type": "file", "size": size, "oid": name}
    large = {"lfs": {"oid": name, "size": size, "pointerSize": 130}}
    return said | (large if len(name) == 64 else {})


@contextmanager
def serve(id_: str, folder: Path) -> Iterator[Served]:
    """A hub with this folder, while it lasts."""
    with Served(id_, folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
