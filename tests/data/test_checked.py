"""Read and decoded once: unchanged files are only looked at, and any change is seen."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pictured import photo, photos, write_coco, write_folder, write_parquet

from bench.data import checked
from bench.data.sources import absolute, open_source
from bench.errors import ValidationError

LONG_AGO = 1_600_000_000


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "t2i-defense-bench" / "checked"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the pictures that were decoded."""
    names: list[str] = []
    plain = checked.decode

    def counted(content: bytes, name: str = "") -> object:
        names.append(name)
        return plain(content, name)

    monkeypatch.setattr(checked, "decode", counted)
    return names


def aged(root: Path) -> Path:
    for path in [root, *root.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return root


MADE: dict[str, Callable[[Path], str]] = {
    "folder": lambda root: f"folder:{write_folder(root, photos(5))}",
    "coco": lambda root: f"coco:{write_coco(root, photos(5))}",
    "parquet": lambda root: f"parquet:{write_parquet(root, photos(5), 1)}",
    "hub": lambda root: f"hub:{write_folder(root / 'train', photos(5)).parent}",
}


@pytest.mark.parametrize("kind", MADE)
def test_unchanged_files_are_not_decoded_again(
    kind: str, tmp_path: Path, cache: Path, decoded: list[str]
) -> None:
    spec = MADE[kind](tmp_path / "data")
    aged(tmp_path / "data")
    first = open_source(spec)
    assert len(decoded) == 5
    again = open_source(spec)
    assert len(decoded) == 5
    assert (again.identity, again.resolution, again.facts) == (
        first.identity,
        first.resolution,
        first.facts,
    )
    assert len(list(cache.iterdir())) == 1
    open_source(spec, again=True)
    assert len(decoded) == 10


CHANGES: dict[str, Callable[[Path], object]] = {
    "another picture": lambda r: (r / "000001.jpg").write_bytes(photo(9).content),
    "the same bytes, written later": lambda r: os.utime(r / "000001.jpg", (LONG_AGO, 1)),
    "another caption": lambda r: (r / "metadata.jsonl").write_text(
        (r / "metadata.jsonl").read_text().replace("number 1", "number one")
    ),
    "another order": lambda r: (r / "metadata.jsonl").write_text(
        "\n".join(reversed((r / "metadata.jsonl").read_text().split("\n")))
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_seen(change: str, tmp_path: Path, cache: Path, decoded: list[str]) -> None:
    root = aged(write_folder(tmp_path / "data", photos(5)))
    before = open_source(f"folder:{root}").identity
    CHANGES[change](root)
    after = open_source(f"folder:{root}").identity
    assert len(decoded) == 10
    assert (after == before) == (change == "the same bytes, written later")


def test_a_change_that_sets_size_and_time_back_is_seen(
    tmp_path: Path, cache: Path, decoded: list[str]
) -> None:
    root = aged(write_folder(tmp_path / "data", photos(5)))
    before = open_source(f"folder:{root}").identity
    content = bytearray((root / "000001.jpg").read_bytes())
    content[-20] ^= 1
    (root / "000001.jpg").write_bytes(content)
    os.utime(root / "000001.jpg", (LONG_AGO, LONG_AGO))
    assert open_source(f"folder:{root}").identity != before


def test_it_is_the_same_from_every_folder(
    tmp_path: Path, cache: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    aged(write_folder(tmp_path / "data", photos(5)))
    (tmp_path / "link").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    names = (
        "folder:data",
        "folder:link",
        absolute("folder:data"),
        open_source("folder:link").place,
    )
    assert len({open_source(name).identity for name in names}) == 1
    assert len(decoded) == 5


def test_another_column_of_pictures_is_other_data(tmp_path: Path, cache: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    one, other = ([photo(k).content for k in range(n, n + 3)] for n in (0, 3))
    table = pa.table({"front": one, "back": other, "text": ["a", "b", "c"]})
    parquet.write_table(table, tmp_path / "t.parquet")
    aged(tmp_path)
    for _ in range(2):
        front, back = (
            open_source(f"parquet:{tmp_path}/t.parquet,image={name}") for name in ("front", "back")
        )
        assert front.identity != back.identity
    assert len(list(cache.iterdir())) == 2


def test_many_pictures_are_announced(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = aged(write_folder(tmp_path / "data", photos(5)))
    monkeypatch.setattr(checked, "MANY", 5)
    said: list[str] = []
    for _ in range(2):
        open_source(f"folder:{root}", say=said.append)
    assert said == [f"reading 5 pictures of {root}, once"]


def test_fresh_files_are_not_trusted(tmp_path: Path, cache: Path, decoded: list[str]) -> None:
    root = write_folder(tmp_path / "data", photos(5))
    os.utime(root / "000003.jpg", ns=(time.time_ns(), time.time_ns()))
    open_source(f"folder:{root}")
    open_source(f"folder:{root}")
    assert len(decoded) == 10
    assert not cache.exists()


def test_what_is_broken_is_never_kept(tmp_path: Path, cache: Path, decoded: list[str]) -> None:
    root = write_folder(tmp_path / "data", photos(5))
    (root / "000001.jpg").write_bytes(b"")
    aged(root)
    for _ in range(2):
        with pytest.raises(ValidationError, match="it is empty"):
            open_source(f"folder:{root}")
    assert not cache.exists()
    (root / "000002.jpg").unlink()
    with pytest.raises(ValidationError, match=r"\(and 1 more such lines\)"):
        open_source(f"folder:{root}")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"identity": 3}', '{"sides": [1]}', "\x00"])
def test_a_spoilt_record_is_made_anew(
    content: str, tmp_path: Path, cache: Path, decoded: list[str]
) -> None:
    root = aged(write_folder(tmp_path / "data", photos(5)))
    sound = open_source(f"folder:{root}").identity
    (record,) = cache.iterdir()
    record.write_text(content)
    assert open_source(f"folder:{root}").identity == sound
    assert len(decoded) == 10
    assert json.loads(record.read_text())["identity"] == sound


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, cache: Path, decoded: list[str]
) -> None:
    root = aged(write_folder(tmp_path / "data", photos(5)))
    (tmp_path / "cache").write_text("a file where a folder should be")
    first = open_source(f"folder:{root}").identity
    assert open_source(f"folder:{root}").identity == first
    assert len(decoded) == 10
