"""Gathers from a store what some runs measured of each attacked model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.entries.labels import KNOWN
from bench.entries.schema import EMBEDDED, SEEDS
from bench.errors import UsageError, ValidationError
from bench.files import file_digest
from bench.plugins import Kind, components
from bench.runs import Run
from bench.specs import Component, canonical
from bench.store import Store
from bench.sweeps import read_sets

OF_TARGET = (
    *("data_label", "data_identity", "base_label", "base_identity", "resolution", "recipe"),
    *("defense", "augment", "at", "sampling", "stage_versions", "canaries"),
)
OF_ATTACKER = ("attack", *KNOWN)
OF_SEED = ("seed", "inception_digest", "clip_digest")


class Measured(NamedTuple):
    """One attacker at one seed: a finished metrics stage and what it was made from."""

    card: dict[str, Any]
    result: dict[str, Any]
    threshold: float
    scores: Path
    """`scores.npz` of the target, and of the base where that is a control."""
    control: Path | None
    made: dict[str, Any]


@dataclass
class Model:
    """One attacked model: every attacker that was run on it, by seed."""

    card: dict[str, Any]
    data: str | None
    plugins: dict[str, Component] = field(default_factory=dict)
    """Attacks and parts of defenses by the canonical text of their identity."""
    attackers: dict[str, dict[int, Measured]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The defense and the checkpoint in words."""
        at = self.card["at"]
        return str(self.card["defense"]["label"]) + ("" if at is None else f" at epoch {at}")

    @property
    def seeds(self) -> list[int]:
        return sorted({seed for of_seed in self.attackers.values() for seed in of_seed})


def models(store: Store, runs: Iterable[Run], *, partial: bool = False) -> list[Model]:
    """The models of these runs, in order; ValidationError for what no entry can be made of."""
    found = gathered(store, runs)
    for model in found:
        _check(model, partial)
    return found


def gathered(store: Store, runs: Iterable[Run]) -> list[Model]:
    """The models of these runs with whatever was run on them; ValidationError where unfinished."""
    found: dict[str, Model] = {}
    for run in runs:
        done = run.finished(store)
        if done < len(run.metrics):
            raise ValidationError(
                f"run {run.id} has {done} of {len(run.metrics)} cells; finish it first: "
                f"bench resume {run.id}"
            )
        plugins = _plugins(run)
        for key in run.metrics:
            _add(found, _measured(store, run, key), run, plugins)
    return list(found.values())


def _measured(store: Store, run: Run, key: str) -> Measured:
    record = store.finished("metrics", key)
    if record is None:
        raise ValidationError(f"a row of run {run.id} is corrupt; bench resume {run.id} remakes it")
    inputs, card = record["spec"]["inputs"], record["spec"]["params"]["cell"]
    if "precision" in card:
        raise ValidationError(
            f"a row of run {run.id} was asked in {card['precision']}; entries hold what was asked "
            "in fp32: run it again without --precision"
        )
    scores, threshold = _scores(store, run, inputs["scores"])
    control = _scores(store, run, inputs["control"])[0] if "control" in inputs else None
    kind, of = ("train", "model") if "model" in inputs else ("utility", "utility")
    made = store.finished(kind, inputs[of])
    return Measured(
        card, record["result"], threshold, scores, control, (made or {}).get("made", {})
    )


def _scores(store: Store, run: Run, key: str) -> tuple[Path, float]:
    store.bring("scores", key)
    record, path = store.finished("scores", key), store.folder("scores", key) / "scores.npz"
    if record is None or not path.exists() or file_digest(path) != record["files"]["scores.npz"]:
        raise ValidationError(f"scores of run {run.id} are corrupt; bench resume {run.id}")
    return path, float(record["result"]["threshold"])


def _plugins(run: Run) -> dict[str, Component]:
    """Every attack and every part of a defense that the run named, as it is today."""
    found = {}
    for request in run.requests:
        kinds: tuple[tuple[Kind, Sequence[str]], ...] = (
            ("attack", request.attacks), ("defense", request.defenses)
        )  # fmt: skip
        for kind, names in kinds:
            sets = read_sets(request.sets)
            for component in components(kind, names, request.plugins, sets=sets):
                for part in component.parts or (component,):
                    found[canonical(part.identity())] = part
    return found


def _add(
    found: dict[str, Model], measured: Measured, run: Run, plugins: dict[str, Component]
) -> None:
    card = measured.card
    if strange := set(card) - {*OF_TARGET, *OF_ATTACKER, *OF_SEED}:
        raise ValidationError(f"run {run.id} knows {min(strange)}, of which entries say nothing")
    data = _embedded(run, card["data_label"])
    about = {name: card.get(name) for name in OF_TARGET}
    model = found.setdefault(canonical(about), Model(about, data))
    model.plugins |= plugins
    attacker = canonical({name: card[name] for name in OF_ATTACKER})
    of_seed = model.attackers.setdefault(attacker, {})
    known = of_seed.get(card["seed"])
    # Of two that differ in who judged the pictures, the one that was judged by more.
    if known is None or _judges(card) > _judges(known.card):
        of_seed[card["seed"]] = measured


def _embedded(run: Run, label: str) -> str | None:
    """The name by which anybody can open the data, where it is embedded."""
    for request in run.requests:
        kind = request.data.partition(":")[0]
        if kind in EMBEDDED and kind == label.partition(" ")[0].partition(":")[0]:
            return request.data
    return None


def _judges(card: dict[str, Any]) -> int:
    return sum(card[name] is not None for name in ("clip_digest", "inception_digest"))


def _check(model: Model, partial: bool) -> None:
    recipe = model.card["recipe"]
    if not recipe["board"]:
        raise ValidationError(
            f"{model.label}: recipe {recipe['name']} is not for boards; run it without --preset "
            "or with another --recipe"
        )
    for of_seed in model.attackers.values():
        missing = sorted({*model.seeds, *(() if partial else SEEDS)} - set(of_seed))
        if missing:
            attack = next(iter(of_seed.values())).card["attack"]["label"]
            raise ValidationError(
                f"{model.label}: {attack} lacks seed {', '.join(map(str, missing))}; run them and "
                "name that run too" + (", or add --partial" if not partial else "")
            )
    if not model.attackers:
        raise UsageError("no run was named")
