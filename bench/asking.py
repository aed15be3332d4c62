"""One request from the words of `bench run`, the same from a shell, a file and Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError, unknown

if TYPE_CHECKING:
    from bench.request import Request

QUICK_SAMPLES = 64
PRESETS = ("quick",)


def request(
    defense: Sequence[str],
    attack: Sequence[str],
    *,
    sets: Sequence[str] = (),
    data: str = "tiles",
    base: str = "mini-sd",
    variant: str | None = None,
    recipe: str = "mini",
    preset: str | None = None,
    augment: str = "default",
    view: str = "original",
    replays: int = 1,
    pool: str = "mean",
    shadow: str = "disjoint",
    shadow_defense: str = "none",
    captioner: str | None = None,
    canaries: int = 0,
    precision: str = "fp32",
    sampler: str = "ddim",
    steps: int = 25,
    guidance: float = 3.0,
    samples: int | None = None,
    seeds: Sequence[int] = (0,),
    at: Sequence[int] = (),
    plugins: Sequence[Path] = (),
    inception: str | None = None,
    clip: str | None = None,
    offline: bool = False,
) -> Request:
    """The request; UsageError where words do not go together. Names are looked up later."""
    from bench.request import Request, sampling

    if not defense or not attack:
        raise UsageError(
            "name at least one --defense and one --attack, e.g. "
            "bench run --defense reph --attack clid_th (`bench list defenses` shows them)"
        )
    for what, value, least in (
        *(("seeds", seed, 0) for seed in seeds),
        ("replays", replays, 1),
        ("canaries", canaries, 0),
        ("steps", steps, 1),
        ("guidance", guidance, 1),
        ("samples", 2 if samples is None else samples, 2),
    ):
        if value < least:
            raise UsageError(f"--{what} {value}: must be at least {least}")
    if preset and recipe not in ("mini", "quick"):
        raise UsageError(f"--preset {preset} brings its own recipe; leave out --recipe {recipe}")
    if preset is not None and preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    return Request(
        defenses=defense,
        attacks=attack,
        sets=sets,
        data=data,
        base=base,
        variant=variant,
        recipe="quick" if preset else recipe,
        augment=augment,
        view=view,
        replays=replays,
        pool=pool,
        shadow=shadow,
        shadow_defense=shadow_defense,
        captioner=captioner,
        canaries=canaries,
        seeds=seeds,
        at=at,
        precision=precision,
        sampling=sampling(sampler, steps, guidance, samples or (QUICK_SAMPLES if preset else None)),
        plugins=plugins,
        inception=inception,
        clip=clip,
        offline=offline,
    )
