"""What a store holds of the runs that a report is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.boards.rows import Row, collect
from bench.errors import UsageError
from bench.runs import Run
from bench.specs import canonical
from bench.store import Store

SETTING = (
    *("data_label", "data_identity", "base_label", "base_identity", "resolution", "recipe"),
    *("augment", "shadow", "canaries", "sampling"),
)
"""What two rows must have in common for their figures to be compared."""


class Scored(NamedTuple):
    """Scores of a model's pairs, canaries aside; higher = more likely a member."""

    members: NDArray[np.float64]
    """(m,)"""
    holdouts: NDArray[np.float64]
    """(n,)"""
    member_ids: Sequence[str]
    threshold: float | None
    """Found on the attacker's shadow."""


@dataclass(frozen=True)
class Setting:
    """The rows of one data set, base and recipe."""

    rows: Sequence[Row]

    @property
    def card(self) -> Mapping[str, Any]:
        return self.rows[0].card

    @property
    def title(self) -> str:
        """In words: what sets it apart from other settings."""
        card = self.card
        told = [f"{card['data_label']}", f"base {card['base_label']}"]
        told.append(f"recipe {card['recipe']['name']}")
        told += [f"augmentation {card['augment']}"] if card["augment"] != "default" else []
        told += [f"shadow {card['shadow']}"] if card["shadow"] != "disjoint" else []
        told += [f"{card['canaries']} canaries"] if card.get("canaries") else []
        return ", ".join(told)

    @cached_property
    def several_epochs(self) -> bool:
        return len({row.epoch for row in self.rows}) > 1

    @cached_property
    def finished_first(self) -> list[Row]:
        """Models at the end of their training before those along it: what is compared most."""
        return sorted(self.rows, key=lambda row: row.card["at"] is not None)

    def model(self, row: Row) -> str:
        """The attacked model in words: its defense, and when it was attacked if that differs."""
        return row.defense + (f" at epoch {row.epoch}" if self.several_epochs else "")


class Findings:
    """The finished rows of some runs, and what they were made from."""

    def __init__(self, store: Store, runs: Sequence[Run]) -> None:
        self.store, self.runs = store, runs
        self.made: list[Mapping[str, Any]] = []
        """How each row was computed: versions, machine, time."""
        self.lacking: list[str] = []
        """What is not finished, in words."""
        found = []
        for run in runs:
            done = 0
            for key in run.metrics:
                if record := store.finished("metrics", key):
                    done += 1
                    stages = record["spec"]["inputs"]
                    found.append((record["spec"]["params"]["cell"],
                                  record["result"] | {"stages": stages}))  # fmt: skip
                    self.made.append(record["made"])
            if done < len(run.metrics):
                self.lacking.append(
                    f"Run {run.id} has {done} of {len(run.metrics)} cells; the rest is not in this "
                    f"report (bench resume {run.id})."
                )
        if not found:
            raise UsageError(
                f"nothing to report: no cell of run {', '.join(run.id for run in runs)} is "
                f"finished in {store.root}; finish it first: bench resume {runs[0].id}"
            )
        self.rows = collect(found)
        self.record = cache(store.finished)
        self.scores = cache(self._scores)

    @cached_property
    def settings(self) -> list[Setting]:
        """Rows that compare, together; in the order they were asked for."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            # Rows from before there were canaries had none.
            key = canonical({name: row.card.get(name) or 0 for name in SETTING})
            found.setdefault(key, []).append(row)
        return [Setting(rows) for rows in found.values()]

    def scored(self, row: Row, seed: int) -> Scored | None:
        """The scores behind a row at a seed; None where they are no longer in the store."""
        stages = row.results[seed]["stages"]
        found: Scored | None = self.scores(stages["scores"], stages["split"])
        return found

    def _scores(self, key: str, split: str) -> Scored | None:
        self.store.bring("scores", key)
        record = self.store.finished("scores", key)
        path = self.store.folder("scores", key) / "scores.npz"
        dealt = self.record("split", split)
        if record is None or dealt is None or not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            ids, scores, member = stored["ids"], stored["scores"], stored["is_member"]
        put_in = [*dealt["result"].get("canary_members", ())]
        put_in += dealt["result"].get("canary_holdouts", ())
        usual = ~np.isin(ids, put_in)
        inside, outside = usual & member, usual & ~member
        threshold = record["result"]["threshold"]
        return Scored(scores[inside], scores[outside], ids[inside].tolist(), threshold)

    def file(self, kind: str, key: str, name: str) -> Path | None:
        """An artefact, if it is there."""
        self.store.bring(kind, key)
        path = self.store.folder(kind, key) / name
        return path if path.exists() else None
