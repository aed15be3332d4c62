"""An entry that was read: typed fields, and scores by attacker and seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.entries.gates import BlindGate, DuplicateGate, PermutationGate
from bench.entries.schema import Attacker, Document, Outcome, Seed
from bench.entries.sealing import digest

CANARY = "canary"
"""How the id of a pair begins that was put in to be found."""
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

    def usual(self, attacker: str, seed: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Scores and membership (n,) of all pairs but canaries, in the order of their ids."""
        ids, member, _ = self._pairs(seed)
        stored = self.arrays[f"seed{seed}-attacker{self._number(attacker)}-target"]
        return usual(stored, ids, member, self.about.target.canaries)

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
        return self.seed(seed).utility.model_dump()

    def gates(self, attacker: str, seed: int) -> list[BlindGate | DuplicateGate | PermutationGate]:
        """Those of the seed, then the attacker's own."""
        return [*self.seed(seed).gates, *self.outcome(attacker, seed).gates]

    @cached_property
    def model(self) -> str:
        """Hash of what was attacked: the same for two entries of one model, by whatever code."""
        return model_hash(self.about.target.model_dump(mode="json"))

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
            "utility": seed.utility.model_dump(),
            "queries": {**asked, "pairs": 1},
            "training": seed.training and seed.training.model_dump(),
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
        return ids, self.arrays[f"seed{seed}-members"], _canary(ids, self.about.target.canaries)

    def _parted(self, attacker: str, seed: int, of: str, *, canaries: bool) -> Scores:
        ids, member, _ = self._pairs(seed)
        stored = self.arrays[f"seed{seed}-attacker{self._number(attacker)}-{of}"]
        return parted(stored, ids, member, self.about.target.canaries, canaries=canaries)


def model_hash(target: Mapping[str, Any]) -> str:
    """Of a `target` as entries have it, without names and code."""
    apart = ("defense", "data", "data_label", "base_label", "stage_versions")
    known = {key: value for key, value in target.items() if key not in apart}
    parts = [[part["name"], part["params"]] for part in target["defense"]["parts"]]
    return digest(known | {"defense": parts})


def parted(
    stored: NDArray[Any],
    ids: NDArray[np.str_],
    member: NDArray[np.bool_],
    put_in: int,
    *,
    canaries: bool = False,
) -> Scores:
    """Scores (n,) of all pairs as those of members and hold-outs, of canaries or of the rest.

    `put_in` is how many canaries there are: where there are none, an id may begin as it likes.
    """
    scores = stored.astype(np.float64)
    wanted = _canary(ids, put_in) == canaries
    return Scores(scores[wanted & member], scores[wanted & ~member])


def usual(
    stored: NDArray[Any], ids: NDArray[np.str_], member: NDArray[np.bool_], put_in: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Scores and membership of all pairs but canaries, in the order of their ids."""
    kept = ~_canary(ids, put_in)
    return stored.astype(np.float64)[kept], member[kept]


def _canary(ids: NDArray[np.str_], put_in: int) -> NDArray[np.bool_]:
    return np.strings.startswith(ids, CANARY) & (put_in > 0)
