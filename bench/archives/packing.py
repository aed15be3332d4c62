"""Packs runs: what another site needs to print, report, submit and audit their rows."""

from __future__ import annotations

import secrets
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

from bench import __version__
from bench.archives.manifest import NAME, Alone, Manifest, Whole
from bench.errors import UsageError, ValidationError
from bench.files import full_disk_is_told
from bench.garbage import closure, entries
from bench.records import flaw_in
from bench.runs import Run, noted
from bench.store import Store

What = Literal["rows", "all"]
LEFT = ("train", "adopt", "samples")
"""Kinds of which `rows` has the record alone: weights and pictures are large, and no figure of a
finished row is read from them again."""
Advance = Callable[[int], None]


@dataclass
class Packed:
    """What is going to be in an archive, and the file that each member is read from."""

    stages: list[Whole] = field(default_factory=list)
    records: list[Alone] = field(default_factory=list)
    places: dict[str, Path] = field(default_factory=dict)
    runs: dict[str, Any] = field(default_factory=dict)
    what: What = "rows"

    def whole(self, kind: str, folder: Path) -> None:
        sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        one = Whole(kind=kind, key=folder.name, files=sizes)
        self.stages.append(one)
        self.places |= {one.member(name): folder / name for name in sizes}

    def alone(self, kind: str, key: str, record: Path) -> None:
        one = Alone(kind=kind, key=key, size=record.stat().st_size)
        self.records.append(one)
        self.places[one.member] = record

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.places.values())

    @property
    def manifest(self) -> Manifest:
        return Manifest(
            bench=__version__,
            what=self.what,
            runs=self.runs,
            stages=self.stages,
            records=self.records,
        )


def gather(store: Store, runs: Sequence[Run], what: What) -> Packed:
    """Chooses and checks it; ValidationError for a stored stage that is corrupt.

    With `rows`: metrics and what they read directly, whole; of all else that they stand on the
    record.
    """
    index = entries(store)
    needed = closure(index, {key for run in runs for key in (*run.metrics, *run.stages)})
    read = _read_by_rows(store, runs)
    packed = Packed(runs={run.id: noted(store, run) for run in runs}, what=what)
    for key in sorted(needed & set(index)):
        kind = index[key].parent.name
        if flaw := flaw_in(index[key], kind, key):
            raise ValidationError(
                f"{kind} {key[:12]} in {store.root} is corrupt ({flaw}); `bench resume` of its run "
                "makes it anew if a row needs it, `bench gc` says what may go"
            )
        if what == "all" or (key in read and kind not in LEFT):
            packed.whole(kind, index[key])
        else:
            packed.alone(kind, key, index[key] / "record.json")
    for path in sorted((store.root / "records").glob("*/*.json")):
        if path.stem in needed and path.stem not in index:
            packed.alone(path.parent.name, path.stem, path)
    return packed


def write(packed: Packed, file: Path, advance: Advance) -> None:
    """The archive, whole or not at all; gzip where the name ends in gz."""
    if file.is_dir():
        raise UsageError(f"{file} is a folder; name a file, as {file / 'runs.tar'}")
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    mode: Any = "w:gz" if file.suffix in (".gz", ".tgz") else "w"
    try:
        with (
            full_disk_is_told(file.parent),
            tarfile.open(beside, mode, format=tarfile.GNU_FORMAT) as tar,
        ):
            text = packed.manifest.model_dump_json(indent=1).encode()
            _add(tar, NAME, len(text), BytesIO(text))
            for name, place in packed.places.items():
                with place.open("rb") as content:
                    _add(tar, name, place.stat().st_size, content)
                advance(place.stat().st_size)
        beside.replace(file)
    except OSError as error:
        raise UsageError(f"cannot write {file} ({error.strerror}); name another file") from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    """Nothing of who packed it, or when: the same runs give the same members."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    tar.addfile(member, content)


def _read_by_rows(store: Store, runs: Sequence[Run]) -> set[str]:
    """Metrics, and the stages that they read."""
    found: set[str] = set()
    for key in (key for run in runs for key in run.metrics):
        if record := store.finished("metrics", key):
            found |= {key, *record["spec"]["inputs"].values()}
    return found
