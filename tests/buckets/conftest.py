"""An S3 server on loopback, with one bucket; it can be stopped and started again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

URL = "s3://bucket/prefix"


class Bucket:
    """The server, and what is in the bucket."""

    def __init__(self) -> None:
        self.port = 0
        self.start()

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", port=self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()

    @property
    def files(self) -> Any:
        """fsspec's view of it."""
        import s3fs

        return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

    def names(self, below: str = "") -> list[str]:
        return sorted(name.removeprefix("bucket/prefix/") for name in
                      self.files.find(f"bucket/prefix/{below}"))  # fmt: skip


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    import requests
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()  # which remembers the server of another test
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = Bucket()
    where = f"http://127.0.0.1:{made.port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": where,
        "AWS_MAX_ATTEMPTS": "2",
    }.items():
        monkeypatch.setenv(name, value)
    requests.post(f"{where}/moto-api/reset", timeout=10)
    made.files.mkdir("bucket")
    yield made
    made.stop()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """From here on commands are called on this machine: a mirror of its own."""

    def move(name: str) -> Path:
        monkeypatch.setenv("BENCH_MIRROR", str(tmp_path / name))
        return tmp_path / name

    return move
