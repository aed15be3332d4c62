"""Archives that somebody made to harm: nothing is written but what holds, and one line says why."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Members = dict[str, Any]
"""Contents by name; a TarInfo stands for itself. In order, the manifest first."""


@pytest.fixture(scope="module")
def sound(ran: Any, cli: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Members:
    """What is in an archive of a real run."""
    (note,) = (ran.store / "runs").glob("*.json")
    file = tmp_path_factory.mktemp("archives") / "rows.tar"
    assert cli("export", note.stem, file, "--store", ran.store).code == 0
    with tarfile.open(file) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


@pytest.fixture
def members(sound: Members) -> Members:
    return {**sound, "manifest.json": json.loads(sound["manifest.json"])}


def packed(members: Members, extra: list[tuple[Any, bytes]], mode: str = "w") -> bytes:
    """The bytes of a tar with these, and what no dictionary holds."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            text = content if isinstance(content, bytes) else json.dumps(content).encode()
            tar.addfile(entry(name, size=len(text)), io.BytesIO(text))
        for member, text in extra:
            tar.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


def entry(name: str, **about: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in about.items():
        setattr(found, key, value)
    return found


def first(members: Members, end: str) -> str:
    return next(name for name in members if name.endswith(end))


# Each changes the members and returns what stands behind them.


def climbs(members: Members) -> Any:
    return [(entry("stages/../../../evil", size=4), b"evil")]


def is_absolute(members: Members) -> Any:
    return [(entry("/tmp/evil-of-an-archive", size=4), b"evil")]


def links(members: Members) -> Any:
    name = first(members, "scores.npz")
    members[name] = entry(name, type=tarfile.SYMTYPE, linkname="/etc/passwd")


def links_hard(members: Members) -> Any:
    name = first(members, "scores.npz")
    members[name] = entry(name, type=tarfile.LNKTYPE, linkname=first(members, "features.npz"))


def is_a_device(members: Members) -> Any:
    name = first(members, "scores.npz")
    members[name] = entry(name, type=tarfile.CHRTYPE, devmajor=1, devminor=5)


def is_a_folder(members: Members) -> Any:
    return [(entry("stages", type=tarfile.DIRTYPE, mode=0o777), b"")]


def is_larger(members: Members) -> Any:
    members[first(members, "scores.npz")] += b"more"


def is_smaller(members: Members) -> Any:
    name = first(members, "scores.npz")
    members[name] = members[name][:-1]


def comes_twice(members: Members) -> Any:
    name = first(members, "scores.npz")
    return [(entry(name, size=len(members[name])), members[name])]


def is_unknown(members: Members) -> Any:
    return [(entry("stages/scores/more.npz", size=4), b"more")]


def lacks_one(members: Members) -> Any:
    del members[first(members, "scores.npz")]


def has_no_manifest(members: Members) -> Any:
    del members["manifest.json"]


def is_pickled(members: Members) -> Any:
    members["manifest.json"] = pickle.dumps(members["manifest.json"])


def names_a_path(members: Members) -> Any:
    members["manifest.json"]["stages"][0]["files"]["../../../evil"] = 4
    return [(entry("stages/x/../../../evil", size=4), b"evil")]


def has_an_odd_kind(members: Members) -> Any:
    members["manifest.json"]["stages"][0]["kind"] = "../../../evil"


def has_an_odd_key(members: Members) -> Any:
    members["manifest.json"]["records"][0]["key"] = "../../../evil"


def names_a_stage_twice(members: Members) -> Any:
    members["manifest.json"]["stages"] += members["manifest.json"]["stages"][:1]


def is_of_tomorrow(members: Members) -> Any:
    members["manifest.json"]["format"] = 2


def is_endless(members: Members) -> Any:
    """It says so itself: more than any disk has."""
    for files in members["manifest.json"]["stages"]:
        files["files"]["record.json"] = (1 << 50) - 1


def has_a_huge_header(members: Members) -> Any:
    """A gigabyte of zeros as the long name of a member, which packs to a megabyte."""
    return [(entry("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=1 << 26), bytes(1 << 26))]


def is_sparse(members: Members) -> Any:
    name = first(members, "scores.npz")
    members[name] = entry(name, type=tarfile.GNUTYPE_SPARSE)


HARMFUL: dict[Callable[[Members], Any], str] = {
    climbs: "'stages/../../../evil': not in its manifest",
    is_absolute: "not in its manifest",
    links: "a link, a device or a folder",
    links_hard: "a link, a device or a folder",
    is_a_device: "a link, a device or a folder",
    is_a_folder: "a link, a device or a folder",
    is_larger: "of which its manifest says",
    is_smaller: "of which its manifest says",
    comes_twice: "not in its manifest, or twice",
    is_unknown: "not in its manifest, or twice",
    lacks_one: "missing",
    has_no_manifest: "does not begin with a manifest.json",
    is_pickled: "its manifest does not hold",
    names_a_path: "an artefact named '../../../evil'",
    has_an_odd_kind: "a stage of kind '../../../evil'",
    has_an_odd_key: "its manifest does not hold: records.0.key",
    names_a_stage_twice: "a stage that is named twice",
    is_of_tomorrow: "update bench",
    has_a_huge_header: "a header larger than any of ours",
    is_sparse: "a link, a device or a folder",
}


@pytest.mark.parametrize("harm", HARMFUL, ids=lambda harm: harm.__name__)
def test_of_what_is_made_to_harm_nothing_is_taken(
    harm: Callable[[Members], Any], members: Members, cli: Callable[..., Any], tmp_path: Path
) -> None:
    behind = harm(members) or []
    file = tmp_path / "archive.tar.gz"
    file.write_bytes(packed(members, behind, "w:gz"))
    told = cli("import", file, "--store", tmp_path / "site")
    assert told.code == 3
    (line,) = told.err.splitlines()
    assert HARMFUL[harm] in line
    assert "nothing of it was taken" in line
    untouched(tmp_path)


def untouched(folder: Path) -> None:
    left = [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]
    assert left == []
    assert not list(folder.parent.rglob("evil"))
    assert not Path("/tmp/evil-of-an-archive").exists()


def cut(whole: bytes) -> bytes:
    return gzip.compress(whole)[:-4000]


def broken_inside(whole: bytes) -> bytes:
    made = bytearray(gzip.compress(whole))
    made[len(made) // 2] ^= 255
    return bytes(made)


def no_archive(whole: bytes) -> bytes:
    return b"PK\x03\x04" + bytes(2000)


def empty(whole: bytes) -> bytes:
    return b""


def broken_where_only_the_checksum_tells(whole: bytes) -> bytes:
    made = bytearray(gzip.compress(whole, compresslevel=0))
    made[len(made) // 2] ^= 255
    return bytes(made)


def endless_behind(whole: bytes) -> bytes:
    return gzip.compress(whole + bytes(1 << 20))


SPOILT = [
    cut, broken_inside, broken_where_only_the_checksum_tells, endless_behind, no_archive, empty,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_is_no_whole_archive_is_refused_in_one_line(
    spoil: Callable[[bytes], bytes], members: Members, cli: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "archive.tar"
    file.write_bytes(spoil(packed(members, [])))
    told = cli("import", file, "--store", tmp_path / "site")
    assert told.code == 3
    (line,) = told.err.splitlines()
    assert "nothing of it was taken" in line
    untouched(tmp_path)


def test_one_that_says_it_is_larger_than_the_disk_is_not_begun(
    members: Members, cli: Callable[..., Any], tmp_path: Path
) -> None:
    is_endless(members)
    (tmp_path / "archive.tar").write_bytes(packed(members, []))
    told = cli("import", tmp_path / "archive.tar", "--store", tmp_path / "site")
    assert told.code == 5
    assert "GiB" in told.err
    untouched(tmp_path)


# What is well packed and not true: the rest is taken.


def rewrite(members: Members, name: str, change: Callable[[Any], Any]) -> None:
    """A record with a change; the manifest says what size it has."""
    record = json.loads(members[name])
    change(record)
    members[name] = json.dumps(record).encode()
    resize(members, name)


def resize(members: Members, name: str) -> None:
    _, kind, key, *file = name.split("/")
    for one in members["manifest.json"]["stages"]:
        if one["kind"] == kind and one["key"] == key:
            one["files"][file[0]] = len(members[name])
    for one in members["manifest.json"]["records"]:
        if one["kind"] == kind and f"{one['key']}.json" == key:
            one["size"] = len(members[name])


def of(members: Members, kind: str, file: str = "record.json") -> str:
    return next(n for n in members if n.startswith(f"stages/{kind}/") and n.endswith(file))


def altered_scores(members: Members) -> str:
    name = of(members, "scores", "scores.npz")
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])
    return "scores.npz: content differs from its digest"


def better_result(members: Members) -> str:
    rewrite(members, of(members, "metrics"), lambda r: r["result"]["attack"].update(auc=0.5))
    return "the result differs from its digest"


def another_key(members: Members) -> str:
    rewrite(members, of(members, "metrics"), lambda r: r["spec"]["params"].update(more=1))
    return "not the specification of this key"


def file_that_no_record_knows(members: Members) -> str:
    name = of(members, "split").replace("record.json", "more.npz")
    members[name] = b"more"
    resize(members, name)
    return "files that its record does not know"


def file_that_is_elsewhere(members: Members) -> str:
    def change(record: Any) -> None:
        record["files"]["../../../../../etc/passwd"] = "0" * 64

    rewrite(members, of(members, "split"), change)
    return "is no name of an artefact"


def deep(members: Members) -> str:
    name = of(members, "split")
    members[name] = b"[" * 200_000
    resize(members, name)
    return "record.json: unreadable"


def altered_record_alone(members: Members) -> str:
    name = next(n for n in members if n.startswith("records/train/"))
    rewrite(members, name, lambda record: record["result"].update(steps=0))
    return "not the record of this key, or altered"


def note(members: Members, change: Callable[[dict[str, Any]], Any]) -> None:
    (one,) = members["manifest.json"]["runs"].values()
    change(one)


def note_of_another(members: Members) -> str:
    (one,) = members["manifest.json"]["runs"].values()
    members["manifest.json"]["runs"] = {"../../evil": one}
    return "its note is that of another run"


def note_with_escapes(members: Members) -> str:
    note(members, lambda one: one["requests"][0].update(data="\x1b[2Jtiles"))
    return "its note holds characters that no command has"


def note_of_odd_types(members: Members) -> str:
    note(members, lambda one: one["requests"][0].update(defenses=7))
    return "its note asks for nothing that a command could"


def note_without_parts(members: Members) -> str:
    note(members, lambda one: one.pop("requests"))
    return "its note cannot be read by this version"


def note_of_no_stages(members: Members) -> str:
    note(members, lambda one: one.update(stages=["../../evil"]))
    return "its note names no stages"


FALSE = (
    altered_scores, better_result, another_key, file_that_no_record_knows, file_that_is_elsewhere,
    deep, altered_record_alone, note_of_another, note_with_escapes, note_of_odd_types,
    note_without_parts, note_of_no_stages,
)  # fmt: skip


@pytest.mark.parametrize("lie", FALSE, ids=lambda lie: lie.__name__)
def test_what_is_not_true_is_refused_and_the_rest_is_taken(
    lie: Callable[[Members], str], members: Members, cli: Callable[..., Any], tmp_path: Path
) -> None:
    why = lie(members)
    pieces = members["manifest.json"]
    count = sum(len(pieces[what]) for what in ("stages", "records", "runs"))
    (tmp_path / "archive.tar").write_bytes(packed(members, []))
    site = tmp_path / "site"
    told = cli("import", tmp_path / "archive.tar", "--store", site, "--format", "json")
    assert told.code == 3
    rows = json.loads(told.out)["rows"]
    (refused,) = (row for row in rows if row["state"] == "refused")
    assert why in refused["why"]
    assert why in told.err.splitlines()[-1]
    assert [row["state"] for row in rows].count("taken") == count - 1
    assert not (site / "stages" / refused["kind"] / refused["key"]).exists()
    assert not (site / "records" / refused["kind"] / f"{refused['key']}.json").exists()
    assert len(list(site.glob("runs/*"))) == (refused["what"] != "run")
    assert not list(tmp_path.parent.rglob("evil*"))
