"""Pictures from captions, with diffusers' own pipeline; start noise is keyed by pair id only.

All defenses, seeds and checkpoints therefore meet the same prompts with the same start noise,
which makes their utility figures paired.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs
from bench.errors import BudgetError
from bench.models.base import Base
from bench.rng import generator
from bench.specs import Sampling

BATCH = 32


def sample(
    base: Base, prompts: Pairs, sampling: Sampling, progress: Callable[[int, int], None]
) -> NDArray[np.uint8]:
    """One picture a caption, uint8 (n, h, w, 3); deterministic, classifier-free guidance."""
    import torch
    from diffusers import StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        unet=base.unet,
        scheduler=_solver(base, sampling),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    size = base.unet.config.sample_size
    shape = (base.unet.config.in_channels, size, size)
    pictures, start, rows = [], 0, BATCH
    while start < len(prompts):
        ids = prompts.ids[start : start + rows]
        noise = [generator("sample", id_).standard_normal(shape, dtype=np.float32) for id_ in ids]
        try:
            with torch.inference_mode():
                batch = pipeline(
                    list(prompts.originals[start : start + rows]),
                    num_inference_steps=sampling.steps,
                    guidance_scale=sampling.guidance,
                    latents=torch.from_numpy(np.stack(noise)).to(base.device),
                    output_type="np",
                ).images
        except torch.OutOfMemoryError:
            if rows == 1:
                raise BudgetError("sampling one picture does not fit the device's memory") from None
            rows //= 2
            continue
        # Rounded here once: torchmetrics would truncate.
        pictures.append((batch * 255).round().astype(np.uint8))
        start += len(ids)
        progress(start, len(prompts))
    side = base.resolution
    return np.concatenate(pictures) if pictures else np.empty((0, side, side, 3), np.uint8)


def _solver(base: Base, sampling: Sampling) -> Any:
    """DDIM (Song et al. 2021, eta = 0) or DPM-Solver++ of second order (Lu et al. 2022, 2M)."""
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    config = base.scheduler.config
    if sampling.sampler == "ddim":
        return DDIMScheduler.from_config(config)
    return DPMSolverMultistepScheduler.from_config(
        config, algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint"
    )
