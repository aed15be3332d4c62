"""Figure 1: what a caption draws of its own picture, for members and for hold-outs.

Zhai et al. 2024, section 3.2: the FID between a set's pictures and those drawn for its captions is
lower for members; the gap shrinks when captions are cut, since the conditional is what was
overfitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.pipeline import Graph
from bench.specs import Cell, Stage

SHARES = {"full": 1.0, "2/3": 2 / 3, "1/3": 1 / 3, "none": 0.0}
PARTS = ("members", "holdouts")
Results = Mapping[tuple[int, str, str], Mapping[str, Any]]
"""What a stage found, by seed, part and text."""


def stages(cells: Sequence[Cell]) -> dict[tuple[int, str, str], Stage]:
    """One a seed, part and text; the cells are of different seeds."""
    return {
        (cell.seed, part, text): _stage(Graph(cell), part, share)
        for cell in cells
        for part in PARTS
        for text, share in SHARES.items()
    }


def _stage(graph: Graph, part: str, share: float) -> Stage:
    cell, model = graph.cell, graph.target()
    params = {
        "part": part,
        "share": round(share, 6),
        "sampling": {k: v for k, v in cell.sampling.model_dump().items() if k != "n"},
        "base": cell.base_identity,
        "at": cell.at if model else 0,
        "inception": cell.inception_digest,
    }
    label = f"{part}, {share:.0%} of the words, seed {cell.seed}"
    hints = {**graph.common, "inception": cell.inception, "label": label}
    return Stage("truncated", params, {"split": graph.split, **model}, hints)


def records(found: Results) -> list[dict[str, Any]]:
    """A line a text: each distance for members and hold-outs, and the gap, mean over seeds."""
    seeds = sorted({seed for seed, _, _ in found})
    told = []
    for text in SHARES:
        line: dict[str, Any] = {"text": text}
        for name, digits in _measured(found).items():
            for part in PARTS:
                values = [_value(found[seed, part, text], name) for seed in seeds]
                line[f"{name} {part}"] = f"{sum(values) / len(values):.{digits}f}"
            line[f"{name} gap"] = _spread(gaps(found, name, text), digits)
        told.append(line)
    return told


def gaps(found: Results, name: str, text: str) -> list[float]:
    """Hold-outs minus members, a seed each."""
    return [
        _value(found[seed, "holdouts", text], name) - _value(found[seed, "members", text], name)
        for seed in sorted({seed for seed, _, _ in found})
    ]


def _measured(found: Results) -> dict[str, int]:
    """The distances that were measured, and the digits each is told with."""
    fid = next(iter(found.values()))["fid"]
    return {"KID": 4, "FD64": 2} | ({"FID": 2} if fid else {})


def _value(result: Mapping[str, Any], name: str) -> float:
    if name == "FID":
        return float(result["fid"]["tf1"])
    return float(result["kid"]["value"] if name == "KID" else result["fd64"])


def _spread(values: Sequence[float], digits: int) -> str:
    mean = sum(values) / len(values)
    return f"{mean:+.{digits}f} ({min(values):+.{digits}f} to {max(values):+.{digits}f})"


def sentences(found: Results) -> list[str]:
    """Whether the gap is largest for whole captions, in every measure and seed."""
    lines = []
    for name in _measured(found):
        full = gaps(found, name, "full")
        held = [
            one > other
            for text in list(SHARES)[1:]
            for one, other in zip(full, gaps(found, name, text), strict=True)
        ]
        lines.append(
            f"{name}: the gap is larger for whole captions than for cut ones in {sum(held)} of "
            f"{len(held)} comparisons (texts x seeds); the paper says all."
        )
    n = next(iter(found.values()))["n"]
    lines.append(
        f"n = {n} pictures a set and seed, mean over seeds, in brackets the lowest and highest of "
        "a seed. Distances on EfficientNet-Lite0 features are no FID. An interval over pictures is "
        "not given: seeds are what shows the noise here."
    )
    return lines
