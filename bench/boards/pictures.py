"""What a run says of the pictures behind its utility: how they were made, and FID proper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.boards.rows import Row

SAMPLERS = {"ddim": "DDIM", "dpm++": "DPM-Solver++ (2M)"}
RESIZINGS = {"tf1": "resized as in TensorFlow 1", "aa": "resized with antialiasing"}


def sampled(sampling: Mapping[str, Any], side: int) -> str:
    """How pictures of so many pixels were made, in words."""
    sampler = SAMPLERS[sampling.get("sampler", "ddim")]
    return (
        f"{sampler}, {sampling['steps']} steps, guidance {sampling['guidance']:g}, "
        f"{side} x {side} pixels"
    )


def sampling_notes(rows: Sequence[Row]) -> list[str]:
    """How the samples were made; the same prompts and start noise for all."""
    ways = dict.fromkeys(sampled(row.card["sampling"], row.card["resolution"]) for row in rows)
    return [f"Samples: {way}; same prompts and start noise for every model." for way in ways]


def sampling_figures(row: Row) -> dict[str, Any]:
    """The same for programs."""
    sampling = row.card["sampling"]
    return {
        "sampler": sampling.get("sampler", "ddim"),
        "sampling_steps": sampling["steps"],
        "guidance": sampling["guidance"],
        "resolution": row.card["resolution"],
    }


def inception_figures(row: Row) -> dict[str, Any]:
    """FID and KID proper by way of resizing; nothing without Inception's weights."""
    return {
        f"{name}_{resizing}{floor}": row.inception(resizing, f"{name}{floor}")
        for name in ("fid", "kid")
        for resizing in RESIZINGS
        for floor in ("", "_floor")
    }


def inception_notes(rows: Sequence[Row]) -> list[str]:
    """FID of every row that has it, beside real pictures, and what it is not."""
    lines = []
    for row in rows:
        utility = next(iter(row.results.values()))["utility"]
        if not utility["fid"]:
            continue
        told = []
        for resizing, words in RESIZINGS.items():
            fid, floor = (row.inception(resizing, name) for name in ("fid", "fid_floor"))
            told.append(f"fid_{resizing} {fid:.2f} ({words}; real against real {floor:.2f})")
        line = f"FID on Inception 2015, {row.defense}, n = {utility['n']}: {', '.join(told)}."
        if utility["fid"]["rank_deficient"]:
            line += (
                " RANK-DEFICIENT: no more pictures than the 2,048 dimensions, so mostly bias; read "
                "KID, and compare with no published FID."
            )
        lines.append(line)
    return list(dict.fromkeys(lines))
