"""Tables through Hugging Face datasets: columns, splits, the hub's cache, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pictured import Photo, photos, write_folder, write_parquet

from bench.data.sources import open_source
from bench.errors import BenchError, OfflineError, UsageError, ValidationError
from bench.files import file_digest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def table(root: Path, **columns: list[Any]) -> Path:
    """A parquet file without Hugging Face's types."""
    import pyarrow as pa
    from pyarrow import parquet

    root.mkdir(exist_ok=True)
    parquet.write_table(pa.table(columns), root / "t.parquet")
    return root / "t.parquet"


def embedded(taken: list[Photo]) -> list[dict[str, Any]]:
    return [{"bytes": one.content, "path": None} for one in taken]


def opened(spec: str) -> tuple[str, ...]:
    return open_source(spec).pairs().captions


def test_columns_go_by_type_by_usual_names_or_as_named(tmp_path: Path) -> None:
    taken = photos(3)
    pictures, words = embedded(taken), [one.captions[0] for one in taken]
    raw = [one.content for one in taken]
    for place, columns in (
        ("a", {"image": pictures, "text": words}),
        ("b", {"JPG": raw, "Caption": words, "n": [1, 2, 3]}),
        ("c", {"image": pictures, "captions": [[word, "other"] for word in words]}),
    ):
        assert opened(f"parquet:{table(tmp_path / place, **columns)}") == tuple(words)
    odd = table(tmp_path / "d", front=raw, back=raw, said=words, prompt=["x"] * 3)
    assert opened(f"parquet:{odd},image=back,text=said") == tuple(words)
    for asked, told in (
        (
            "",
            r"no column is plainly the image \(it has front, back, said, prompt\); name it",
        ),
        (",image=frnt", "no column of .* named 'frnt'; did you mean front"),
        (",image=front,text=sad", "named 'sad'; did you mean said"),
    ):
        with pytest.raises(UsageError, match=told):
            open_source(f"parquet:{odd}{asked}")
    both = table(tmp_path / "e", image=pictures, text=words, caption=words)
    with pytest.raises(UsageError, match="several columns may be the text .*; name it: text=COL"):
        open_source(f"parquet:{both}")


def test_pictures_may_be_files_beside_the_table(tmp_path: Path) -> None:
    taken = photos(3)
    write_folder(tmp_path, taken)
    words = [one.captions[0] for one in taken]
    file = table(tmp_path, image=[one.name for one in taken], text=words)
    first = open_source(f"parquet:{file}")
    assert first.pairs().image("000002").size
    (tmp_path / taken[1].name).write_bytes(taken[2].content)
    assert open_source(f"parquet:{file}").identity != first.identity


BROKEN: dict[str, tuple[Callable[[list[Photo]], dict[str, list[Any]]], str]] = {
    "no picture": (
        lambda p: {"image": [*embedded(p[:2]), None], "text": ["x"] * 3},
        "row 2: has no picture in 'image'; drop the row",
    ),
    "an empty struct": (
        lambda p: {"image": [*embedded(p[:2]), {"bytes": None, "path": None}], "text": ["x"] * 3},
        "row 2: has no picture in 'image'",
    ),
    "no bytes": (
        lambda p: {"image": [p[0].content, b""], "text": ["x"] * 2},
        r"row 1: '000001' cannot be decoded as a picture \(it is empty\)",
    ),
    "truncated": (
        lambda p: {"image": [p[0].content, p[1].content[:-200]], "text": ["x"] * 2},
        "row 1: '000001' cannot be decoded as a picture",
    ),
    "a number for a picture": (
        lambda p: {"image": [1, 2], "text": ["x"] * 2},
        "row 0: 'image' holds a int, neither bytes nor the path of a file",
    ),
    "a picture elsewhere": (
        lambda p: {"image": ["/etc/hostname"], "text": ["x"]},
        "row 0: '/etc/hostname' lies outside the folder",
    ),
    "a picture above": (
        lambda p: {"image": [{"bytes": None, "path": "../a.png"}], "text": ["x"]},
        r"row 0: '\.\./a.png' lies outside the folder",
    ),
    "a missing file": (
        lambda p: {"image": ["gone.png"], "text": ["x"]},
        "row 0: file 'gone.png' is missing",
    ),
    "no caption": (
        lambda p: {"image": [p[0].content] * 2, "text": ["x", None]},
        r"row 1: has no caption",
    ),
    "an empty caption": (
        lambda p: {"image": [p[0].content] * 2, "text": ["x", " "]},
        "row 1: 'text' is empty",
    ),
    "a number for a caption": (
        lambda p: {"image": [p[0].content] * 2, "text": [1, 2]},
        r"row 0: 'text' is 1; .* \(and 1 more such lines\)",
    ),
    "no rows": (lambda p: {"image": [], "text": []}, "has no rows$"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_table_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    make, told = BROKEN[case]
    file = table(tmp_path, **make(photos(3)))
    with pytest.raises(ValidationError, match=told) as caught:
        open_source(f"parquet:{file}")
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no PAR1")
    (tmp_path / "empty").mkdir()
    for spec, kind in (
        (f"parquet:{tmp_path}/t.parquet", ValidationError),
        (f"parquet:{tmp_path}/empty", ValidationError),
        (f"parquet:{tmp_path}/gone", UsageError),
    ):
        with pytest.raises(kind) as caught:
            open_source(spec)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_split_is_train_unless_another_is_named(tmp_path: Path) -> None:
    some, others = photos(3), photos(7)[3:]
    write_parquet(tmp_path / "data", some, 1)
    write_parquet(tmp_path / "data", others, 2, "test")
    assert opened(f"hub:{tmp_path}") == tuple(one.captions[0] for one in some)
    assert opened(f"hub:{tmp_path},split=test") == tuple(one.captions[0] for one in others)
    with pytest.raises(UsageError, match="no split of .* named 'tset'; did you mean test"):
        open_source(f"hub:{tmp_path},split=tset")


def in_cache(cache: Path, files: Path, name: str = "owner/photos") -> None:
    """Lays files as huggingface_hub does: blobs, a snapshot of links to them, and a reference."""
    place = cache / f"datasets--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    (place / "blobs").mkdir()
    for number, path in enumerate(sorted(p for p in files.rglob("*") if p.is_file())):
        link = place / "snapshots" / COMMIT / path.relative_to(files)
        link.parent.mkdir(parents=True, exist_ok=True)
        (place / "blobs" / f"{number:040x}").write_bytes(path.read_bytes())
        link.symlink_to(place / "blobs" / f"{number:040x}")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub, and the hub out of reach as by HF_HUB_OFFLINE=1."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.mark.parametrize("form", ["parquet", "imagefolder"])
def test_a_cached_data_set_is_read_and_pinned_to_its_commit(
    cache: Path, tmp_path: Path, form: str
) -> None:
    write = write_parquet if form == "parquet" else write_folder
    taken = photos(4)
    write(tmp_path / "files" / "train", taken)
    in_cache(cache, tmp_path / "files")
    source = open_source("hub:owner/photos,n=3")
    assert source.place == f"hub:owner/photos@{COMMIT},n=3"
    assert source.label == "photos"
    assert source.facts is not None
    assert source.facts.commit == COMMIT
    pinned = open_source(source.place)
    assert pinned.identity == source.identity
    assert pinned.place == source.place
    assert len(source.pairs()) == 3
    local = open_source(f"hub:{tmp_path / 'files'},n=3")
    assert local.pairs().captions == source.pairs().captions
    assert local.identity != source.identity, "the commit is part of what it is"


def test_fetch_tells_a_file_that_is_not_the_hub_s(
    cache: Path, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    file = write_parquet(tmp_path / "files", photos(4), 1) / "train-00000-of-00001.parquet"
    in_cache(cache, tmp_path / "files")
    link = cache / "datasets--owner--photos" / "snapshots" / COMMIT / file.name
    whole = link.resolve().rename(link.resolve().with_name(file_digest(file)))
    link.unlink()
    link.symlink_to(whole)
    ended = cli("fetch", "--for", "hub:owner/photos")
    assert ended.code == 0, ended.err
    assert COMMIT in ended.out
    whole.write_bytes(whole.read_bytes() + b"x")
    ended = cli("fetch", "--for", "hub:owner/photos")
    assert (ended.code, ended.out) == (3, "")
    assert f"{file.name} is damaged: delete {whole} and fetch it again" in ended.err


def test_what_cannot_be_had_is_told_with_what_to_do(cache: Path) -> None:
    for name in ("owner/photos", "owner/photos@v1", f"owner/photos@{COMMIT}"):
        with pytest.raises(OfflineError, match=r"hub:owner/photos.*bench fetch --for") as caught:
            open_source(f"hub:{name}")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 4
    with pytest.raises(BenchError, match="one looks like owner/name"):
        open_source("hub:a/b/c")


def test_a_readme_of_the_hub_says_which_files_are_which(tmp_path: Path) -> None:
    write_parquet(tmp_path / "odd", photos(4), 1, "part")
    card = {"configs": [{"config_name": "small", "data_files": "odd/part-*.parquet"}]}
    (tmp_path / "README.md").write_text(f"---\n{json.dumps(card)}\n---\n")
    assert len(opened(f"hub:{tmp_path}")) == 4
    assert len(opened(f"hub:{tmp_path},config=small")) == 4
    with pytest.raises(ValidationError, match="big"):
        open_source(f"hub:{tmp_path},config=big")
