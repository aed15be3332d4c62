"""Entries of models that were never trained: scores are drawn, the rest is as stages give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.entries.entry import Entry
from bench.entries.schema import SCHEMA, Document
from bench.specs import STAGE_VERSIONS
from bench.stages.metrics import attack_figures

SHA = "a" * 64
PAIRS = 500
QUERIES = {"loss": 1, "clid_th": 15}


def measure(value: float, half: float = 0.005) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "method": "x", "level": 0.95}


def plugin(name: str, shipped: bool = True) -> dict[str, Any]:
    about = {"name": name, "label": name, "params": {}, "source": SHA, "file": SHA, "reads": []}
    return {**about, "shipped": shipped, "text": None if shipped else "its text"}


def gate(passed: bool) -> dict[str, Any]:
    figures = {"pictures": 0 if passed else 3, "captions": 0, "of_target": 0}
    return {"name": "duplicates", "passed": passed, "figures": figures}


def entry(
    name: str = "none",
    lifts: Mapping[str, float] | None = None,
    kid: float = 0.12,
    at: int | None = None,
    clean: bool = True,
    seeds: Sequence[int] = (0, 1, 2),
    base_lift: float = 0.0,
    canaries: int = 8,
    clip: float = 20.0,
    shipped: bool = True,
    params: Mapping[str, Any] | None = None,
    pairs: int = PAIRS,
    **target: Any,
) -> Entry:
    """Members' scores of each attack are higher by its lift, in standard deviations."""
    lifts = lifts or {"loss": 0.3, "clid_th": 1.5}
    arrays: dict[str, Any] = {}
    told = [
        _seed(seed, lifts, kid, clean, base_lift, canaries, clip, pairs, arrays) for seed in seeds
    ]
    part = plugin(name.partition("[")[0], shipped) | {"params": dict(params or {})}
    document = {
        "schema_version": SCHEMA,
        "name": name if at is None else f"{name}-at-{at:04d}",
        "title": name,
        "licence": "Apache-2.0",
        "paper": None,
        "authors": [],
        "provisional": len(seeds) < 3,
        "target": {
            "data": "tiles",
            "data_label": "tiles",
            "data_identity": SHA,
            "base_label": "mini-sd",
            "base_identity": SHA,
            "resolution": 32,
            "recipe": {"name": "mini", "epochs": 80, "board": True},
            "augment": "default",
            "defense": {"label": name, "parts": [part]},
            "at": at,
            "sampling": {"n": 350, "steps": 25, "guidance": 3.0},
            "canaries": canaries,
            "stage_versions": STAGE_VERSIONS,
            **target,
        },
        "attackers": [_attacker(attack) for attack in lifts],
        "seeds": told,
        "provenance": {"bench": "0.1.0", "commit": "b" * 40, "dirty": False},
        "files": {"scores.npz": SHA},
        "digests": {},
    }
    return Entry(Path(name), Document.model_validate(document), arrays)


def _attacker(name: str) -> dict[str, Any]:
    known = {"view": "original", "replays": 1, "pool": "mean", "shadow": "disjoint"}
    asked = {"queries": QUERIES.get(name, 3), "reference_queries": 0, "access": "grey"}
    return {
        "label": name, "attack": plugin(name), **known, "shadow_defense": "none",
        "captioner_identity": None, **asked,
    }  # fmt: skip


def _seed(
    seed: int, lifts: Mapping[str, float], kid: float, clean: bool, base_lift: float,
    canaries: int, clip: float, pairs: int, arrays: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    ids = [f"canary-{i:03d}" for i in range(canaries)] + [f"p{i:04d}" for i in range(2 * pairs)]
    usual = np.arange(len(ids)) >= canaries
    member = np.random.default_rng(seed).permutation(len(ids)) < 0
    member[np.flatnonzero(usual)[::2]] = member[np.flatnonzero(~usual)[::2]] = True
    arrays[f"seed{seed}-ids"], arrays[f"seed{seed}-members"] = np.array(ids), member
    outcomes = []
    for number, (attack, lift) in enumerate(lifts.items()):
        # The same pairs are easy for an attack in every model, as they are in truth.
        noise = np.random.default_rng([seed, *attack.encode()]).normal(size=(2, len(ids)))
        sides = {"target": noise[0] + lift * member, "base": noise[1] + base_lift * member}
        for of, scores in sides.items():
            arrays[f"seed{seed}-attacker{number}-{of}"] = scores.astype("<f4")
        figures = [
            attack_figures(scores[usual & member], scores[usual & ~member], 0.5)
            for scores in sides.values()
        ]
        outcomes.append(
            {
                "threshold": 0.5, "threshold_from": "shadow", "metrics": figures[0],
                "base_control": figures[1], "gates": [],
            }
        )  # fmt: skip
    return {
        "seed": seed, "split": SHA, "attackers": outcomes, "utility": _utility(kid, clip),
        "inception_digest": None, "clip_digest": "c11b", "training": None,
        "gates": [gate(clean)], "made": {"device": "cpu"},
    }  # fmt: skip


def _utility(kid: float, clip: float) -> dict[str, Any]:
    return {
        "n": 350, "fid": None, "kid_effnet": measure(kid), "kid_effnet_floor": measure(0.0),
        "fd_effnet": 300.0, "fd_effnet_floor": 30.0, "fd_effnet64": 20.0,
        "fd_effnet64_floor": 2.0, "precision": 0.3, "recall": 0.1, "precision_real": 0.8,
        "recall_real": 0.7, "clip": {"digest": "c11b", "own_text_tower": False},
        "clip_score": measure(clip), "clip_gain": measure(5.0), "clip_score_real": measure(25.0),
        "clip_gain_real": measure(6.0), "held_out_loss": measure(0.15),
    }  # fmt: skip
