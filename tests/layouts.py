"""Stable Diffusion 1.x and 2.x of a few thousand random weights, in the files of the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.contract.base import TOKENS, WIDTH, write_tokenizer

V1 = {"attention_head_dim": 2}
V2 = {"attention_head_dim": [2, 4], "use_linear_projection": True, "upcast_attention": True}
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def write_sd1(folder: Path, variant: str | None = None, seed: int = 0) -> Path:
    """As `stable-diffusion-v1-5` is saved: PNDM, with a safety checker and what it looks with."""
    from diffusers import PNDMScheduler
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessorPil

    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 1}
    vision = small | {"image_size": 24, "patch_size": 8}
    more = {
        "scheduler": PNDMScheduler(skip_prk_steps=True, steps_offset=1, **SCHEDULE),
        "safety_checker": StableDiffusionSafetyChecker(
            CLIPConfig(text_config=small, vision_config=vision, projection_dim=4)
        ),
        "feature_extractor": CLIPImageProcessorPil(crop_size=24, size=24),
    }
    return _save(folder, variant, seed, V1, {"hidden_act": "quick_gelu"}, more)


def age(folder: Path) -> Path:
    """The same as it was saved in 2022: fewer settings, other names for the VAE's attention.

    With the numbers of the text's places among the weights, the tokenizer in two files, and no
    word of the prediction type or the scaling factor.
    """
    import torch
    from safetensors.torch import load_file, save_file

    for part, file, gone in (
        ("vae", "config.json", ("scaling_factor", "shift_factor", "latents_mean", "latents_std")),
        ("scheduler", "scheduler_config.json", ("prediction_type", "timestep_spacing")),
    ):
        config = json.loads((folder / part / file).read_text())
        kept = {key: value for key, value in config.items() if key not in gone}
        (folder / part / file).write_text(json.dumps(kept))
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    save_file({_renamed(key, old): value for key, value in load_file(path).items()}, path)
    path = folder / "text_encoder" / "model.safetensors"
    places = {"text_model.embeddings.position_ids": torch.arange(TOKENS)[None]}
    prefix = "text_model."
    weights = {prefix + key.removeprefix(prefix): value for key, value in load_file(path).items()}
    save_file(weights | places, path)
    for path in (folder / "tokenizer").iterdir():
        path.unlink()
    (folder / "tokenizer").rmdir()
    write_tokenizer(folder / "tokenizer")
    return folder


def write_sd2(folder: Path, variant: str | None = None, seed: int = 0) -> Path:
    """As `stable-diffusion-2-1` is saved: v-prediction, DDIM, an OpenCLIP text encoder."""
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(
        prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
        **SCHEDULE,
    )  # fmt: skip
    more = {"scheduler": scheduler, "safety_checker": None, "feature_extractor": None}
    # All but the last of the original's layers, as the pipeline of the real one reads them.
    text = {"hidden_act": "gelu", "num_hidden_layers": 3, "projection_dim": 24}
    return _save(folder, variant, seed, V2, text, more)


def _save(
    folder: Path,
    variant: str | None,
    seed: int,
    unet: dict[str, Any],
    text: dict[str, Any],
    more: dict[str, Any],
) -> Path:
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    words = write_tokenizer(folder.parent / f"{folder.name}-words")
    marks = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
    shape = {"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_attention_heads": 2}
    shape |= {"vocab_size": words, "max_position_embeddings": TOKENS, "num_hidden_layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pipeline = StableDiffusionPipeline(
            vae=AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                block_out_channels=(8, 16),
                norm_num_groups=4,
                layers_per_block=1,
                latent_channels=4,
                sample_size=16,
            ),
            unet=UNet2DConditionModel(
                sample_size=8,
                block_out_channels=(16, 32),
                down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                layers_per_block=1,
                norm_num_groups=8,
                cross_attention_dim=WIDTH,
                **unet,
            ),
            text_encoder=CLIPTextModel(CLIPTextConfig(**shape | marks | text)),
            tokenizer=CLIPTokenizer.from_pretrained(folder.parent / f"{folder.name}-words"),
            **more,
            requires_safety_checker=False,
        )
    if variant == "fp16":
        pipeline = pipeline.to(torch.float16)
    pipeline.save_pretrained(folder, variant=variant)
    return folder


def _renamed(key: str, names: dict[str, str]) -> str:
    if "mid_block.attentions" in key:
        for new, old in names.items():
            key = key.replace(f".{new}.", f".{old}.")
    return key
