"""Runs that were never computed: real keys and files in a store, scores and pictures drawn."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from made_entries import _utility as utility

from bench import runs
from bench.data.sources import open_source
from bench.data.splits import make_split
from bench.pipeline import cell_stage
from bench.request import Request
from bench.specs import Cell, Sampling, Stage
from bench.stages.metrics import attack_figures
from bench.store import Store
from bench.trust.permutation import permutation_gate

SAMPLES = 12
MADE = {"bench": "0.1.0", "python": "3.11", "machine": "x86_64", "finished": "2026-01-01T00:00:00Z",
        "packages": {"numpy": "2"}, "seconds": 1.0}  # fmt: skip
LIFTS = {"none": 1.5, "reph-rule": 1.0, "del1": 1.2, "shuffle": 0.5}


def made_run(
    store: Store,
    request: Request,
    *,
    labels: Mapping[str, str] | None = None,
    clean: bool = True,
    leave_out: Sequence[str] = (),
) -> runs.Run:
    """Finishes all that a report reads of the request; `labels` renames defenses."""
    ends = []
    for cell in request.cells():
        end = _renamed(cell_stage(cell), labels or {})
        for stage in end.walk():
            if stage.kind in leave_out or store.has(stage):
                continue
            if stage.kind in ("split", "samples", "utility", "scores"):
                _publish(store, stage, cell)
        _publish(store, end, cell, clean)
        ends.append(end)
    return runs.save(store, [request], ends)


def request(defenses: Sequence[str], attacks: Sequence[str], **more: Any) -> Request:
    """On tiles, with few samples."""
    return Request(list(defenses), list(attacks), sampling=Sampling(n=SAMPLES), **more)


def _renamed(end: Stage, labels: Mapping[str, str]) -> Stage:
    card = copy.deepcopy(end.params["cell"])
    card["defense"]["label"] = labels.get(card["defense"]["label"], card["defense"]["label"])
    return Stage("metrics", {"cell": card}, end.inputs)


def _publish(store: Store, stage: Stage, cell: Cell, clean: bool = True) -> None:
    out = store.work(f"made-{stage.key}")
    out.mkdir(parents=True, exist_ok=True)
    result = {"split": _split, "samples": _samples, "scores": _scores, "utility": _worth,
              "metrics": _metrics}[stage.kind](store, stage, cell, out)  # fmt: skip
    if stage.kind == "metrics" and not clean:
        figures = {"pictures": 3, "captions": 0, "of_target": 0}
        result["gates"].append({"name": "duplicates", "passed": False, "figures": figures})
    store.publish(stage.kind, stage.key, stage.spec, out, result, MADE)


@cache
def dealt(seed: int) -> dict[str, Any]:
    """A real split of tiles."""
    source = open_source("tiles")
    found = make_split(source.pairs(), source.identity, seed, source.sizes)
    parts = {name: list(getattr(found, name)) for name in found.__dataclass_fields__}
    return {**parts, "digest": found.digest}


def _split(store: Store, stage: Stage, cell: Cell, out: Path) -> dict[str, Any]:
    return dealt(stage.params["seed"])


def _samples(store: Store, stage: Stage, cell: Cell, out: Path) -> dict[str, Any]:
    ids = dealt(0)["reference"][:SAMPLES]
    rng = np.random.default_rng(int(stage.key[:8], 16))
    pictures = rng.integers(0, 255, (SAMPLES, 32, 32, 3), dtype=np.uint8)
    np.savez_compressed(out / "samples.npz", ids=np.array(ids), pictures=pictures)
    return {"n": SAMPLES}


def _drawn(cell: Cell, base: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, scores, membership: the longer trained and the more often asked, the further apart."""
    split = dealt(cell.seed)
    ids = np.array(sorted([*split["members"], *split["holdouts"]]))
    member = np.isin(ids, split["members"])
    rng = np.random.default_rng([cell.seed, *cell.attack.label.encode()])
    lift = LIFTS.get(cell.defense.label, 0.8) * (1 if cell.at is None else cell.at / 80)
    lift *= 0.9 if cell.attack.label.endswith("[m=1]") else 1.0
    return ids, rng.normal(size=len(ids)) + (0 if base else lift) * member, member


def _scores(store: Store, stage: Stage, cell: Cell, out: Path) -> dict[str, Any]:
    base = "model" not in stage.inputs["target"].inputs
    ids, scores, member = _drawn(cell, base)
    np.savez(out / "scores.npz", ids=ids, scores=scores, is_member=member)
    return {"threshold": 0.5, "learned": {}}


def _worth(store: Store, stage: Stage, cell: Cell, out: Path) -> dict[str, Any]:
    early = 0.0 if cell.at is None else 0.001 * (80 - cell.at)
    return utility(0.12 + early + 0.004 * (cell.defense.name != "none"), 20.0)


def _metrics(store: Store, stage: Stage, cell: Cell, out: Path) -> dict[str, Any]:
    (_, scores, member), (_, base, _) = _drawn(cell, base=False), _drawn(cell, base=True)
    result: dict[str, Any] = {
        "attack": attack_figures(scores[member], scores[~member], 0.5),
        "learned": {},
        "utility": store.record(stage.inputs["utility"])["result"]
        if store.has(stage.inputs["utility"])
        else _worth(store, stage, cell, out),
        "queries": {"pairs": 1000, "queries": 1000 * (5 if "m=1" in cell.attack.label else 15)},
        "training": None,
        "gates": [permutation_gate(scores, member)._asdict()],
        "split": dealt(cell.seed)["digest"],
    }
    if cell.at != 0:
        result["base_control"] = attack_figures(base[member], base[~member], 0.5)
    return result
