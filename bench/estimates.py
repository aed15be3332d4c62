"""How long stages take: the median of what this store's earlier stages of the kind took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from statistics import median
from typing import Any

from bench.naming import label
from bench.specs import ON_DEVICE, SHARD_ROLE, Stage
from bench.store import Store

FIRST_GUESS = {
    "split": 3.0,
    "blind": 45.0,
    "duplicates": 4.0,
    "train": 300.0,
    "captions": 20.0,
    "reference": 8.0,
    "features": 35.0,
    "scores": 1.0,
    "samples": 45.0,
    "real": 25.0,
    "utility": 25.0,
    "metrics": 1.0,
    "adopt": 5.0,
    "truncated": 90.0,
}
"""Seconds on one core of a laptop with the embedded base, until the store knows better."""


JOINING = 1.0
"""Seconds that it takes to join shards."""


NEWEST = 100
"""Records of a kind that are read: more say nothing new, and a large store has thousands."""


FEW = 20
"""Entries of a kind whose sizes are looked at."""


class Estimator:
    """Reads what earlier stages took, and which are stored, and guesses what is to come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._epochs = self._by_defense()
        self._seconds = {kind: self._typical(kind) for kind in FIRST_GUESS}
        self._stored = {kind: store.keys(kind) for kind in FIRST_GUESS}

    def _by_defense(self) -> dict[str, list[float]]:
        """Seconds an epoch took: private or distilled trainings take several times as long."""
        found: dict[str, list[float]] = {}
        for _, record in self._store.records("train", NEWEST):
            params = record["spec"]["params"]
            seconds = record["made"]["seconds"] / params["recipe"]["epochs"]
            found.setdefault(params["defense"]["name"], []).append(seconds)
        return found

    def _typical(self, kind: str) -> float:
        took = [
            record["made"]["seconds"]
            for _, record in self._store.records(kind, NEWEST)
            if not any(role.startswith(SHARD_ROLE) for role in record["spec"]["inputs"])
        ]
        return float(median(took)) if took else FIRST_GUESS[kind]

    def stored(self, stage: Stage) -> bool:
        """Whether it was there when this began."""
        return stage.key in self._stored[stage.kind]

    def seconds(self, stage: Stage) -> float:
        """Zero for what is stored; a training by its epochs, as its own defense takes if known."""
        if self.stored(stage):
            return 0.0
        if stage.joins:
            return JOINING
        if stage.kind == "train":
            defense = stage.params["defense"]["name"]
            took = self._epochs.get(defense) or [t for ts in self._epochs.values() for t in ts]
            an_epoch = median(took) if took else FIRST_GUESS["train"] / 80
            return float(an_epoch * stage.params["recipe"]["epochs"])
        return self._seconds[stage.kind]

    def wanted(self, stages: Sequence[Stage]) -> set[str]:
        """Keys of those (listed inputs first) that a run would compute.

        The others are stored, or are read by stored stages alone.
        """
        read = {below.key for stage in stages for below in stage.inputs.values()}
        asked = {stage.key for stage in stages} - read
        wanted: set[str] = set()
        for stage in reversed(stages):
            if stage.key in asked and not self.stored(stage):
                wanted.add(stage.key)
                asked |= {below.key for below in stage.inputs.values()}
        return wanted

    def record(self, stage: Stage, wanted: Collection[str]) -> dict[str, Any]:
        """One line of `bench plan`."""
        todo = stage.key in wanted
        return {
            "stage": stage.kind,
            "what": label(stage),
            "state": "todo" if todo else "cached" if self.stored(stage) else "unneeded",
            "about": f"{self.seconds(stage):.0f} s" if todo else "",
            "key": stage.key[:12],
        }

    def total(
        self,
        stages: Sequence[Stage],
        wanted: Collection[str],
        workers: int,
        price: float | None = None,
    ) -> str:
        """Wall-clock time: the work spread over the workers, but no less than the longest chain.

        Where an hour of a device has a price, what the models will cost.
        """
        took = {stage.key: self.seconds(stage) if stage.key in wanted else 0.0 for stage in stages}
        work = sum(took.values())
        chain: dict[str, float] = {}
        for stage in stages:
            before = max((chain[below.key] for below in stage.inputs.values()), default=0.0)
            chain[stage.key] = before + took[stage.key]
        wall = max(work / workers, max(chain.values(), default=0.0))
        todo = [stage for stage in stages if stage.key in wanted]
        models = sum(took[stage.key] for stage in todo if stage.kind in ON_DEVICE)
        cost = "" if price is None else f", {models / 3600 * price:.2f} at {price:g} an hour"
        return (
            f"{len(todo)} of {len(stages)} stages to compute: about {wall / 60:.1f} min with "
            f"{workers} workers ({work / 60:.1f} min of one core; {models / 3600:.1f} h of it run "
            f"models, which are GPU hours where there are GPUs{cost}), {self._disk(todo)}"
        )

    def _disk(self, todo: Sequence[Stage]) -> str:
        """What they will take on disk, as earlier stages of their kinds did."""
        count = Counter(stage.kind for stage in todo)
        sizes = {kind: self._size(kind) for kind in count}
        total = sum(number * (sizes[kind] or 0) for kind, number in count.items())
        unknown = [kind for kind in count if sizes[kind] is None]
        more = f" and what {', '.join(sorted(unknown))} take" if unknown else ""
        return f"about {total / 1e9:.1f} GB of disk{more}"

    def _size(self, kind: str) -> float | None:
        """Bytes of an entry of this kind; None while the store has none."""
        keys = [key for key, _ in self._store.records(kind, FEW)]
        entries = [self._store.folder(kind, key).iterdir() for key in keys]
        sizes = [sum(path.stat().st_size for path in entry) for entry in entries]
        return sum(sizes) / len(sizes) if sizes else None
