"""Takes an archive into a store: all of it is unpacked aside and checked, then published.

A kill leaves a scratch folder that the next import begins anew; what was published stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.archives.manifest import Alone, Whole
from bench.archives.notes import flaw_of_note
from bench.archives.packing import Advance
from bench.archives.reading import Members, opened
from bench.errors import BudgetError
from bench.files import full_disk_is_told
from bench.records import flaw_in, sound_record
from bench.runs import Run, keep, note_file, parsed
from bench.store import Store

SCRATCH = "import"
"""Names the lock and the scratch folder of an import: one at a time in a store."""


@dataclass(frozen=True)
class Piece:
    """A stage, a record or a run of an archive, and what became of it."""

    what: Literal["stage", "record", "run"]
    kind: str
    key: str
    state: Literal["taken", "there", "refused"]
    why: str | None = None


def take_in(
    store: Store, file: Path, begin: Callable[[int], Advance], say: Callable[[Run], None]
) -> list[Piece]:
    """What was taken, was there, or was refused; ValidationError for an archive that is none.

    `begin` is told how many bytes there are and gives what is told of each read; `say` of each run.
    """
    with opened(file) as members, _scratch(store) as folder:
        advance = begin(sum(members.manifest.sizes().values()))
        here = {one.key for one in members.manifest.stages if _is_here(store, one)}
        with full_disk_is_told(store.root):
            _unpack(members, folder, here, advance)
        manifest = members.manifest
        stages = [_stage(store, one, folder, there=one.key in here) for one in manifest.stages]
        records = [_record(store, one, folder) for one in manifest.records]
        return [*stages, *records, *(_run(store, *one, say) for one in manifest.runs.items())]


@contextmanager
def _scratch(store: Store) -> Iterator[Path]:
    """An empty folder beside the stages, so that publishing is a rename."""
    with store.lock(SCRATCH) as claim:
        folder = store.scratch(SCRATCH, claim) / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(store.work(SCRATCH), ignore_errors=True)


def _is_here(store: Store, one: Whole) -> bool:
    there = store.folder(one.kind, one.key).exists()
    return there and flaw_in(store.folder(one.kind, one.key), one.kind, one.key) is None


def _unpack(members: Members, folder: Path, here: set[str], advance: Advance) -> None:
    """Writes what is not here yet; names are those of the manifest, which were checked."""
    sizes = members.manifest.sizes()
    needed = sum(size for name, size in sizes.items() if name.split("/")[2] not in here)
    if needed > (free := shutil.disk_usage(folder).free):
        raise BudgetError(
            f"it needs {needed / 2**30:.1f} GiB and {folder.parent} has {free / 2**30:.1f}; free "
            "some or name another place with --store"
        )
    for name, size, content in members:
        place = folder / name
        if name.split("/")[2] in here:
            for _ in content:
                pass
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as written:
                written.writelines(content)
        advance(size)


def _stage(store: Store, one: Whole, folder: Path, *, there: bool) -> Piece:
    if there:
        return Piece("stage", one.kind, one.key, "there")
    made = folder / "stages" / one.kind / one.key
    flaw = flaw_in(made, one.kind, one.key)
    record = sound_record((made / "record.json").read_bytes(), one.kind, one.key)
    if flaw is None and record is not None and {*record["files"], "record.json"} != {*one.files}:
        flaw = "files that its record does not know"
    if flaw is not None:
        return Piece("stage", one.kind, one.key, "refused", flaw)
    taken = store.take(one.kind, one.key, made)
    return Piece("stage", one.kind, one.key, "taken" if taken else "there")


def _record(store: Store, one: Alone, folder: Path) -> Piece:
    if store.finished(one.kind, one.key) is not None:
        return Piece("record", one.kind, one.key, "there")
    if store.keep_record(one.kind, one.key, (folder / one.member).read_bytes()):
        return Piece("record", one.kind, one.key, "taken")
    return Piece("record", one.kind, one.key, "refused", "not the record of this key, or altered")


def _run(store: Store, id_: str, note: object, say: Callable[[Run], None]) -> Piece:
    """Its note, where there is none of it; what it asks for here and there is the same."""
    if flaw := flaw_of_note(id_, note):
        return Piece("run", "run", ascii(id_[:12]).strip("'"), "refused", flaw)
    run = parsed(id_, note)
    there = note_file(store, id_).exists()
    if run is not None and not there:
        keep(store, id_, note)  # type: ignore[arg-type]
        say(run)
    return Piece("run", "run", id_, "there" if there else "taken")
