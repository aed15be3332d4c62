"""From a folder to an `Entry`: nothing is trusted, nothing large is allocated, nothing executed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.entries import arrays, document
from bench.entries.problems import Problem, EntryError, FlawError, shown
from bench.entries.schema import DOCUMENT, SCORES, Attacker, Document, Gate, Outcome, Seed
from bench.entries.sealing import digest

CANARY = "canary"
"""How the id of a pair begins that was put in to be found."""
LIMITS = {DOCUMENT: document.MOST_BYTES, SCORES: arrays.MOST_BYTES}
FloatArray = NDArray[np.float64]


class Scores(NamedTuple):
    """Scores (m,) and (n,), higher = more likely a member; in the order of ids at a seed."""

    members: FloatArray
    holdouts: FloatArray


@dataclass(frozen=True, eq=False)
class Entry:
    """One attacked model as somebody measured it.

    `attacker` is an attacker's label, as in `attackers`; KeyError for one that is not there.
    """

    place: Path
    about: Document
    arrays: Mapping[str, NDArray[Any]]

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def attackers(self) -> list[str]:
        """Their labels, in the order of the document."""
        return [attacker.label for attacker in self.about.attackers]

    @property
    def seeds(self) -> list[int]:
        return [seed.seed for seed in self.about.seeds]

    def attacker(self, label: str) -> Attacker:
        """What the attacker knows, asks and costs."""
        return self.about.attackers[self._number(label)]

    def seed(self, seed: int) -> Seed:
        """One training and all that was measured of it."""
        for found in self.about.seeds:
            if found.seed == seed:
                return found
        raise KeyError(f"entry {self.name} has no seed {seed}")

    def outcome(self, attacker: str, seed: int) -> Outcome:
        """Threshold, figures and base control of one attacker at one seed."""
        return self.seed(seed).attackers[self._number(attacker)]

    def scores(self, attacker: str, seed: int) -> Scores:
        """Scores of members and hold-outs, without canaries."""
        return self._parted(attacker, seed, "target", canaries=False)

    def canaries(self, attacker: str, seed: int) -> Scores:
        """Scores of the canaries that were members and of those that were not; may be empty."""
        return self._parted(attacker, seed, "target", canaries=True)

    def control(self, attacker: str, seed: int) -> Scores | None:
        """The same attack on the base; None where that controls nothing."""
        if self.outcome(attacker, seed).base_control is None:
            return None
        return self._parted(attacker, seed, "base", canaries=False)

    def ids(self, seed: int, *, canaries: bool = False) -> tuple[list[str], list[str]]:
        """Ids of the members and of the hold-outs, in the order of their scores."""
        ids, member, canary = self._pairs(seed)
        wanted = canary == canaries
        return ids[wanted & member].tolist(), ids[wanted & ~member].tolist()

    def utility(self, seed: int) -> Mapping[str, Any]:
        """As the utility stage gives it."""
        return self.seed(seed).utility

    def gates(self, attacker: str, seed: int) -> list[Gate]:
        """Those of the seed, then the attacker's own."""
        return [*self.seed(seed).gates, *self.outcome(attacker, seed).gates]

    def model(self) -> str:
        """Hash of what was attacked; two entries of one model have the same."""
        return digest(self.about.target.model_dump(mode="json"))

    def results(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """(card, result) of every attacker and seed, as `bench.boards.rows.collect` takes them.

        As the metrics stages had them, but for figures from the scores as stored, and `learned`
        and the AUC of touched members, which no entry has.
        """
        for attacker in self.about.attackers:
            for seed in self.about.seeds:
                yield self._card(attacker, seed), self._result(attacker, seed)

    def _card(self, attacker: Attacker, seed: Seed) -> dict[str, Any]:
        target = self.about.target
        known = attacker.model_dump(
            exclude={"label", "attack", "access", "queries", "reference_queries"}
        )
        return {
            **target.model_dump(mode="json", exclude={"data", "defense"}),
            **known,
            "defense": target.defense.identity() | {"label": target.defense.label},
            "attack": attacker.attack.identity() | {"label": attacker.attack.label},
            "seed": seed.seed,
            "inception_digest": seed.inception_digest,
            "clip_digest": seed.clip_digest,
        }

    def _result(self, attacker: Attacker, seed: Seed) -> dict[str, Any]:
        outcome = seed.attackers[self._number(attacker.label)]
        gates = [gate.model_dump() for gate in self.gates(attacker.label, seed.seed)]
        asked = {"queries": attacker.queries, "reference_queries": attacker.reference_queries}
        result = {
            "attack": outcome.metrics.model_dump(),
            "utility": seed.utility,
            "queries": {**asked, "pairs": 1},
            "training": seed.training,
            "split": seed.split,
            "gates": gates,
        }
        if outcome.base_control is not None:
            result["base_control"] = outcome.base_control.model_dump()
        return result

    def _number(self, label: str) -> int:
        if label not in self.attackers:
            raise KeyError(f"entry {self.name} has no attacker {label}")
        return self.attackers.index(label)

    def _pairs(self, seed: int) -> tuple[NDArray[np.str_], NDArray[np.bool_], NDArray[np.bool_]]:
        ids = self.arrays[f"seed{seed}-ids"]
        canary = np.strings.startswith(ids, CANARY) & (self.about.target.canaries > 0)
        return ids, self.arrays[f"seed{seed}-members"], canary

    def _parted(self, attacker: str, seed: int, of: str, *, canaries: bool) -> Scores:
        _, member, canary = self._pairs(seed)
        stored = self.arrays[f"seed{seed}-attacker{self._number(attacker)}-{of}"]
        scores = stored.astype(np.float64)
        wanted = canary == canaries
        return Scores(scores[wanted & member], scores[wanted & ~member])


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
            raise EntryError([Problem(folder.name, *one) for one in wrong])
        if about.files != {SCORES: arrays.file_sha256(data[SCORES])}:
            raise FlawError(SCORES, "differs from its digest in entry.json")
        scores = arrays.read_scores(data[SCORES], names(about))
        _check_lengths(scores)
    except FlawError as wrong:
        raise EntryError([Problem(folder.name, *wrong.told)]) from None
    return Entry(folder, about, scores)


def _check_numbers(about: Document) -> None:
    """Every attacker and every seed once, and an outcome for each of both."""
    labels, seeds = [one.label for one in about.attackers], [str(one.seed) for one in about.seeds]
    for what, found in (("attacker", labels), ("seed", seeds)):
        for one in found:
            if found.count(one) > 1:
                raise FlawError(DOCUMENT, f"{what} {one} is there twice")
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
