"""Pictures from captions, with diffusers' own pipeline; start noise is keyed by pair id only.

All defenses, seeds and checkpoints therefore meet the same prompts with the same start noise,
which makes their utility figures paired.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs
from bench.models.base import Base
from bench.rng import generator
from bench.specs import Sampling

BATCH = 32


def sample(
    base: Base, prompts: Pairs, sampling: Sampling, progress: Callable[[int, int], None]
) -> NDArray[np.uint8]:
    """One picture a caption, uint8 (n, h, w, 3); deterministic DDIM, classifier-free guidance."""
    import torch
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        unet=base.unet,
        scheduler=DDIMScheduler.from_config(base.scheduler.config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    size = base.unet.config.sample_size
    shape = (base.unet.config.in_channels, size, size)
    pictures = []
    for start in range(0, len(prompts), BATCH):
        ids = prompts.ids[start : start + BATCH]
        noise = [generator("sample", id_).standard_normal(shape, dtype=np.float32) for id_ in ids]
        with torch.inference_mode():
            batch = pipeline(
                list(prompts.originals[start : start + BATCH]),
                num_inference_steps=sampling.steps,
                guidance_scale=sampling.guidance,
                latents=torch.from_numpy(np.stack(noise)).to(base.device),
                output_type="np",
            ).images
        # Rounded here once: torchmetrics would truncate.
        pictures.append((batch * 255).round().astype(np.uint8))
        progress(start + len(ids), len(prompts))
    return np.concatenate(pictures)
