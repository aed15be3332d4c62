"""Rows: one (data, base, recipe, defense, augmentation, attack, checkpoint) over its seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.boards.gates import told
from bench.entries.labels import attacker_label
from bench.specs import canonical
from bench.stats.estimate import Estimate, mean_over_seeds
from bench.trust.control import control_gate
from bench.trust.gate import Gate


@dataclass(frozen=True)
class Figure:
    """A mean over seeds with its interval, and the spread between seeds if there are several."""

    estimate: Estimate
    seed_sd: float | None

    def text(self, scale: float = 1.0, digits: int = 3) -> str:
        """`value [low, high]`."""
        value, low, high = (f"{scale * x:.{digits}f}" for x in self.estimate[:3])
        return f"{value} [{low}, {high}]"


@dataclass
class Row:
    """All seeds of one combination, each with the result of its metrics stage."""

    card: Mapping[str, Any]
    results: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    aligned: dict[str, dict[int, Mapping[str, Any]]] = field(default_factory=dict)
    """Utility by the CLIP that scored it, then by seed; scores of two CLIPs do not compare."""

    @property
    def defense(self) -> str:
        return str(self.card["defense"]["label"])

    @property
    def attack(self) -> str:
        """The attack with what the attacker knows of the defense, as in rows and on boards."""
        known = {name: self.card[name] for name in ("view", "replays", "pool", "shadow_defense")}
        asked = self.card.get("precision", "fp32")
        return attacker_label(str(self.card["attack"]["label"]), **known, precision=asked)

    @property
    def adaptive(self) -> bool:
        """Whether the attacker makes use of knowing the defense."""
        return bool(self.card["view"] == "defended" or self.card["shadow_defense"] == "same")

    @property
    def epoch(self) -> int:
        at = self.card["at"]
        return int(self.card["recipe"]["epochs"] if at is None else at)

    @property
    def n(self) -> tuple[int, int]:
        first = next(iter(self.results.values()))["attack"]
        return first["members"], first["holdouts"]

    def asked(self, name: str) -> int:
        """`queries` or `reference_queries` a pair."""
        told = next(iter(self.results.values()))["queries"]
        return int(told.get(name, 0)) // int(told["pairs"])

    @property
    def queries(self) -> str:
        """Queries a pair on the target, and on the attacker's own reference."""
        own = self.asked("reference_queries")
        return f"{self.asked('queries')}" + (f" + {own} own" if own else "")

    def figure(self, name: str, of: str = "attack") -> Figure | None:
        """`auc`, `asr` or `tpr` of the target (`attack`) or of the base (`base_control`)."""
        found = [result[of].get(name) for result in self.results.values() if of in result]
        if not found or any(value is None for value in found):
            return None
        mean = mean_over_seeds([Estimate(**value) for value in found])
        return Figure(mean.estimate, mean.seed_sd)

    def utility(self, name: str) -> Figure | None:
        """A utility figure with an interval; between seeds the end points are averaged."""
        return _mean_of_ends([result["utility"].get(name) for result in self.results.values()])

    def clip_score(self, clip: str | None, name: str = "clip_score") -> Figure | None:
        """CLIPScore under this CLIP; none unless it scored every seed."""
        scored = self.aligned.get(clip or "", {})
        complete = scored.keys() == self.results.keys()
        return _mean_of_ends([utility[name] for utility in scored.values()]) if complete else None

    def share(self, name: str) -> float | None:
        """A utility figure without an interval that small sets do not have."""
        found = [result["utility"].get(name) for result in self.results.values()]
        return None if any(value is None for value in found) else self.mean(name)

    @property
    def control(self) -> Gate | None:
        """The base, which saw no pair, must give AUC 0.5; none where the base is the target."""
        controls = [r["base_control"] for r in self.results.values() if "base_control" in r]
        return control_gate([Estimate(**c["auc"]) for c in controls]) if controls else None

    @property
    def failed(self) -> list[str]:
        """Each gate that a seed of the row failed, in words with its figure; empty: trustworthy."""
        found = [
            f"seed {seed}, {told(gate['name'], gate['figures'])}"
            for seed, result in sorted(self.results.items())
            for gate in result.get("gates", [])
            if not gate["passed"]
        ]
        control = self.control
        wrong = [] if control is None or control.passed else [control]
        return found + [told(gate.name, gate.figures) for gate in wrong]

    def gate_figure(self, gate: str, name: str) -> float | None:
        """A gate's figure averaged over seeds; none unless every seed has it."""
        found = [
            one["figures"][name]
            for result in self.results.values()
            for one in result.get("gates", [])
            if one["name"] == gate
        ]
        return sum(found) / len(found) if len(found) == len(self.results) else None

    def inception(self, resizing: str, name: str) -> float | None:
        """`fid` or `kid` proper, or a floor, over the seeds that have it.

        `resizing` says how pictures came to Inception's size: `tf1` or `aa`.
        """
        told = [r["utility"]["fid"] for r in self.results.values()]
        found = [one[resizing][name] for one in told if one]
        values = [one["value"] if isinstance(one, Mapping) else one for one in found]
        return sum(values) / len(values) if values else None

    def mean(self, name: str, of: str = "utility") -> float:
        """A figure without an interval, averaged over seeds."""
        found = [float(result[of][name]) for result in self.results.values()]
        return sum(found) / len(found)


def _mean_of_ends(found: Sequence[Mapping[str, Any] | None]) -> Figure | None:
    parts = [Estimate(**value) for value in found if value is not None]
    if not parts or len(parts) < len(found):
        return None
    # The reference pictures are the same for every seed, so the seeds' errors are not
    # independent and the mean is not narrower than one of them.
    value, low, high = (
        sum(column) / len(parts)
        for column in zip(*((p.value, p.low, p.high) for p in parts), strict=True)
    )
    return Figure(Estimate(value, low, high, "mean of ends"), None)


def common_clip(rows: Iterable[Row]) -> str | None:
    """The CLIP that scored most rows at every seed; where two are even, the later one."""
    counts = Counter(
        clip
        for row in rows
        for clip, scored in row.aligned.items()
        if scored.keys() == row.results.keys()
    )
    return max(reversed(counts), key=counts.__getitem__, default=None)


def collect(results: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[Row]:
    """Groups (card, result) of metrics stages into rows, in order of first appearance."""
    rows: dict[str, Row] = {}
    for card, result in results:
        # Inception weights and a CLIP add figures and change none.
        apart = ("seed", "inception_digest", "clip_digest")
        key = canonical({k: v for k, v in card.items() if k not in apart})
        row, utility = rows.setdefault(key, Row(card)), result["utility"]
        row.results[card["seed"]] = result
        if clip := utility.get("clip"):
            row.aligned.setdefault(clip["digest"], {})[card["seed"]] = utility
    return list(rows.values())
