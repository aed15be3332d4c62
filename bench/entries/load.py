"""From a folder to an `Entry`: nothing is trusted, nothing large allocated, nothing executed."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bench.entries import arrays, document
from bench.entries.entry import Entry
from bench.entries.problems import EntryError, FlawError, Problem, plain, shown
from bench.entries.schema import DOCUMENT, SCORES, Document

LIMITS = {DOCUMENT: document.MOST_BYTES, SCORES: arrays.MOST_BYTES}


def load(folder: Path) -> Entry:
    """The entry of this folder; EntryError (exit code 3) where its files, form or digests fail."""
    try:
        found, data = _read(folder)
        about = document.checked(found)
        _check_numbers(about)
        if about.name != folder.resolve().name:
            what = f"name {shown(about.name)} is not that of the folder"
            raise FlawError(DOCUMENT, what, "rename one of them (`bench submit --name`)")
        if wrong := document.unsealed(data[DOCUMENT], found):
            raise EntryError([Problem(plain(folder.name), *one) for one in wrong])
        if about.files != {SCORES: arrays.file_sha256(data[SCORES])}:
            raise FlawError(SCORES, "differs from its digest in entry.json")
        scores = arrays.read_scores(data[SCORES], names(about))
        _check_lengths(scores)
    except FlawError as wrong:
        raise EntryError([Problem(plain(folder.name), *wrong.told)]) from None
    except OSError as error:
        told = ("folder", f"cannot be read ({error.strerror})", "check its rights")
        raise EntryError([Problem(plain(folder.name), *told)]) from None
    return Entry(folder, about, scores)


def _check_numbers(about: Document) -> None:
    """Every attacker and every seed once, and an outcome for each of both."""
    labels, seeds = [one.label for one in about.attackers], [str(one.seed) for one in about.seeds]
    for what, found in (("attacker", labels), ("seed", seeds)):
        for one in found:
            if found.count(one) > 1:
                raise FlawError(DOCUMENT, f"{what} {one} is there twice")
    if seeds != sorted(seeds, key=int):
        raise FlawError(DOCUMENT, f"seeds {', '.join(seeds)} are not in rising order")
    for seed in about.seeds:
        if len(seed.attackers) != len(about.attackers):
            what = f"{len(seed.attackers)} outcomes of {len(about.attackers)} attackers"
            raise FlawError(f"seed {seed.seed}", what)


def _check_lengths(scores: Mapping[str, NDArray[Any]]) -> None:
    for name, array in scores.items():
        n = len(scores[f"{name.partition('-')[0]}-ids"])
        if len(array) != n:
            raise FlawError(SCORES, f"{name}: {len(array)} values for {n} ids")


def names(about: Document) -> list[str]:
    """The arrays that an entry has, in the order of the file."""
    found = []
    for seed in about.seeds:
        found += [f"seed{seed.seed}-ids", f"seed{seed.seed}-members"]
        for number, outcome in enumerate(seed.attackers):
            start = f"seed{seed.seed}-attacker{number}"
            found += [f"{start}-target"] + [f"{start}-base"] * (outcome.base_control is not None)
    return found


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    _check_folder(folder)
    data = {name: _bytes(folder / name, most) for name, most in LIMITS.items()}
    return document.parse(data[DOCUMENT]), data


def _check_folder(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        raise FlawError("folder", "is a link or no folder", "give the folder itself")
    with os.scandir(folder) as found:
        for number, one in enumerate(found):
            if one.name not in LIMITS or number >= len(LIMITS):
                what = f"holds {shown(one.name)} beside {DOCUMENT} and {SCORES}"
                raise FlawError("folder", what, "remove it")


def _bytes(path: Path, most: int) -> bytes:
    """A plain file of at most this size; a link, a pipe or a device is not opened."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise FlawError(path.name, "is a link or no plain file", "put the file itself there")
        if about.st_size > most:
            size = f"{about.st_size >> 20} MB, more than the {most >> 20} MB that are read"
            raise FlawError(path.name, size)
        with path.open("rb") as handle:
            return handle.read(most + 1)
    except FileNotFoundError:
        raise FlawError(path.name, "is missing") from None
    except OSError as error:
        raise FlawError(
            path.name, f"cannot be read ({error.strerror})", "check its rights"
        ) from None
