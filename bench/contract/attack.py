"""What an attack must keep to."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bench.api import Access, Attack, FloatArray, Pairs, ReferenceAttack
from bench.contract.common import Case
from bench.contract.memory import memorising
from bench.contract.outcome import BrokenError, Check, NotApplicableError
from bench.models.base import Base, load_base
from bench.models.target import ModelTarget
from bench.stats.roc import auc

FEW = 6
NEAR = 1e-2
"""Of a feature's spread: what another batch may change by rounding."""
TOLD_APART = 0.75
"""AUC from which members of a model that knows them by heart are taken to be told apart."""


@cache
def _plain(folder: Path) -> Base:
    return load_base(folder)


def ask(made: Attack, base: Base, case: Case, pairs: Pairs, rows: int = 64) -> FloatArray:
    """Features, (n, F); one that compares does so with the base as it was before training."""
    target = ModelTarget(base, 0, rows)
    if isinstance(made, ReferenceAttack) and made.reads_reference:
        observed = made.observe(ModelTarget(_plain(case.base), 0, rows), pairs)
        return made.compare(target, pairs, observed)
    return made.features(target, pairs)


def some(case: Case) -> Pairs:
    """A few members and hold-outs."""
    members, others = (case.given[name].pairs for name in ("members", "holdouts"))
    return _joined(members.select(members.ids[:FEW]), others.select(others.ids[:FEW]))


def says(case: Case) -> None:
    """Access is one of three."""
    access = case.make().access
    if access not in get_args(Access):
        raise BrokenError(f"access is {access!r}, none of {', '.join(get_args(Access))}")


def shaped(case: Case) -> None:
    """(n, F) features, all finite; as many scores as pairs."""
    made, pairs = case.make(), some(case)
    features = ask(made, _plain(case.base), case, pairs)
    if not isinstance(features, np.ndarray) or features.ndim != 2 or len(features) != len(pairs):
        shape = getattr(features, "shape", type(features).__name__)
        raise BrokenError(f"features gives {shape} for {len(pairs)} pairs; give an array (n, F)")
    if not np.isfinite(features).all():
        raise BrokenError("features are not finite; look for a division by 0 or an overflow")
    if made.learns:
        made = made.fit(features, np.arange(len(pairs)) < FEW)
    scores = np.asarray(made.score(features.copy()))
    if scores.shape != (len(pairs),) or not np.isfinite(scores).all():
        raise BrokenError(f"score gives {scores.shape}; give one finite score a pair, (n,)")


def counted(case: Case) -> None:
    """As many U-Net rows as declared."""
    made, pairs = case.make(), some(case)
    if made.queries is None:
        raise NotApplicableError("it declares no number of queries")
    target, own = (ModelTarget(_plain(case.base), 0) for _ in range(2))
    if isinstance(made, ReferenceAttack) and made.reads_reference:
        made.compare(target, pairs, made.observe(own, pairs))
        _same_count("reference_queries", made.reference_queries, own.queries / len(pairs))
    else:
        made.features(target, pairs)
    _same_count("queries", made.queries, target.queries / len(pairs))


def _same_count(name: str, declared: int, made: float) -> None:
    if declared != made:
        raise BrokenError(
            f"{name} says {declared} a pair, it made {made:g}; correct one of the two"
        )


def determined(case: Case) -> None:
    """The same bits twice."""
    pairs = some(case)
    first, second = (ask(case.make(), _plain(case.base), case, pairs) for _ in range(2))
    if not np.array_equal(first, second):
        raise BrokenError(
            "the same question twice gives two answers; draw from bench.rng.generator"
        )


def alone(case: Case) -> None:
    """A pair's features depend neither on the other pairs nor on their order, nor on batches."""
    pairs, base = some(case), _plain(case.base)
    usual = ask(case.make(), base, case, pairs)
    spread = np.maximum(usual.std(axis=0), 1e-9)
    order = np.random.default_rng(0).permutation(len(pairs))
    for what, rows, chosen in (
        ("in another order", 64, order),
        ("in batches of 5", 5, np.arange(len(pairs))),
        ("asked about two of them", 64, np.arange(2)),
    ):
        picked = pairs.select([pairs.ids[i] for i in chosen])
        found = ask(case.make(), base, case, picked, rows)
        if np.any(abs(found - usual[chosen]) > NEAR * spread):
            raise BrokenError(
                f"{what}, pairs get other features; compute each from its own pair alone"
            )


def clean(case: Case) -> None:
    """Neither pairs and pictures, nor the model, nor features are written to."""
    base, pairs = load_base(case.base), some(case)
    before, made = _weights(base), case.make()
    features = ask(made, base, case, pairs)
    for name in ("members", "holdouts"):
        if what := case.given[name].changed():
            raise BrokenError(f"it writes into {what}; work on a copy")
    if _weights(base) != before:
        raise BrokenError("it changes weights of the model, which other attacks are asking too")
    kept = features.copy()
    if made.learns:
        made = made.fit(features, np.arange(len(pairs)) < FEW)
    made.score(features)
    if not np.array_equal(features, kept):
        raise BrokenError("fit or score writes into the features; work on a copy")


def signed(case: Case) -> None:
    """Members of a model that knows them by heart score higher."""
    made, parts = case.make(), case.given
    if made.learns:
        made = made.fit(_of(made, case, "shadow_members", "shadow_holdouts"), _labels(case))
    scores = np.asarray(made.score(_of(made, case, "members", "holdouts")))
    n = len(parts["members"].pairs)
    found = auc(scores[:n], scores[n:])
    if found <= 1 - TOLD_APART:
        raise BrokenError(
            f"members score lower (AUC {found:.2f}); higher must mean member: turn it"
        )
    if found < TOLD_APART:
        raise NotApplicableError(
            f"cannot be decided here: AUC {found:.2f} on a model of a megabyte"
        )


def _of(made: Attack, case: Case, members: str, others: str) -> FloatArray:
    known, strange = case.given[members].pairs, case.given[others].pairs
    base = memorising(case.base, known)
    return ask(made, base, case, _joined(known, strange))


def _labels(case: Case) -> NDArray[np.bool_]:
    sizes = [len(case.given[name].pairs) for name in ("shadow_members", "shadow_holdouts")]
    return np.repeat([True, False], sizes)


def _joined(one: Pairs, other: Pairs) -> Pairs:
    def open_image(id_: str) -> Any:
        return (one if id_ in one.ids else other).open_image(id_)

    texts = (one.captions + other.captions, one.originals + other.originals)
    return Pairs(one.ids + other.ids, *texts, open_image)


def _weights(base: Base) -> str:
    digest = hashlib.sha256()
    for value in base.unet.state_dict().values():
        digest.update(value.cpu().numpy().tobytes())
    return digest.hexdigest()


ATTACK: tuple[Check[Case], ...] = (
    ("it says what access it needs", says),
    ("features and scores are finite and of the right shape", shaped),
    ("as many queries as declared", counted),
    ("the same answer twice", determined),
    ("no pair depends on the others", alone),
    ("nothing it is handed is written to", clean),
    ("members score higher", signed),
)
