"""What training is compared with: shapes, pictures, and a loop in the style of the example."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import EMAModel
from PIL import Image, ImageOps
from transformers import CLIPTextConfig, CLIPTextModel

from bench.contract.base import TOKENS, write_tokenizer
from bench.data import tiles
from bench.data.pairs import Pairs
from bench.models.base import Base, embedded_folder, load_base
from bench.training.loop import Task, train
from bench.training.recipe import RECIPES, Recipe

SHARE = 4
"""The width of Stable Diffusion 1.x over that of the model that stands for it."""


class Case(NamedTuple):
    """One comparison: the same steps from the same pairs, in the script's way and in ours."""

    pairs: int
    theirs: Recipe
    ours: Recipe


def _like_sd(name: str, **changes: Any) -> Recipe:
    return RECIPES[name].changed(precision="no", epochs=20, keep=(), keep_raw=False, **changes)


MINI = Recipe(name="perf", epochs=80, crop_margin=2)
"""As many epochs as the default, since squares met twice are encoded once."""
CASES = {
    "mini-sd, 16 pairs a step": Case(16, MINI, MINI),
    "SD-like at 64 px, 4 pairs a step": Case(8, _like_sd("modern"), _like_sd("modern")),
    "SD-like at 64 px, the paper's command against `modern`": Case(
        8, _like_sd("paper-realworld"), _like_sd("modern")
    ),
}


def base_of(case: str, folder: Path) -> Base:
    """The untrained base of a case, one thread as in a run."""
    torch.set_num_threads(1)
    return load_base(embedded_folder() if case.startswith("mini") else _sd_like(folder / "sd-like"))


def _sd_like(folder: Path) -> Path:
    """Stable Diffusion 1.x at a quarter of its widths: the same layers and shares of the work."""
    if (folder / "scheduler").exists():
        return folder
    words = write_tokenizer(folder / "tokenizer")
    width = 768 // SHARE
    torch.manual_seed(0)
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=tuple(n // SHARE for n in (128, 256, 512, 512)),
        layers_per_block=2,
        latent_channels=4,
        sample_size=64,
    ).save_pretrained(folder / "vae")
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=tuple(n // SHARE for n in (320, 640, 1280, 1280)),
        layers_per_block=2,
        norm_num_groups=16,
        attention_head_dim=8,
        cross_attention_dim=width,
    ).save_pretrained(folder / "unet")
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=words,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=12,
            num_attention_heads=12,
            max_position_embeddings=TOKENS,
            bos_token_id=words - 2,
            eos_token_id=words - 1,
            pad_token_id=words - 1,
        )
    ).save_pretrained(folder / "text_encoder")
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    ).save_pretrained(folder / "scheduler")
    return folder


def pairs_of(case: str) -> Pairs:
    """Its first pictures of `tiles`."""
    drawn = tiles.pairs()
    return drawn.select(drawn.ids[: CASES[case].pairs])


def ours(case: str, base: Base, folder: Path) -> None:
    """Trains in our way."""
    pairs = pairs_of(case)
    folder.mkdir(parents=True)
    train(base, Task(pairs, CASES[case].ours, "default", 0, pairs), folder, folder, _unwatched)


def _unwatched(done: int, of: int, unit: str) -> None:
    pass


def theirs(case: str, base: Base) -> None:
    """Picture to latent and caption to states at every step, global randomness, plain AdamW."""
    pairs, recipe = pairs_of(case), CASES[case].theirs
    side, margin = base.resolution, recipe.crop_margin
    captions = base.tokenizer(
        list(pairs.captions),
        padding="max_length",
        truncation=True,
        max_length=base.tokenizer.model_max_length,
        return_tensors="pt",
    ).input_ids
    scheduler = DDPMScheduler.from_config(base.scheduler.config)

    def transformed(picture: Image.Image) -> torch.Tensor:
        picture = ImageOps.expand(picture.resize((side, side), Image.Resampling.BILINEAR), margin)
        top, left = random.randint(0, 2 * margin), random.randint(0, 2 * margin)
        picture = picture.crop((left, top, left + side, top + side))
        if random.random() < 0.5:
            picture = ImageOps.mirror(picture)
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1

    class Rows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(pairs)

        def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
            return transformed(pairs.image(pairs.ids[i])), captions[i]

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=recipe.accumulate)
    unet = base.unet.train().requires_grad_(True)
    if recipe.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
    ema = EMAModel(unet.parameters())
    optimiser = torch.optim.AdamW(unet.parameters(), lr=recipe.lr)
    loader = torch.utils.data.DataLoader(Rows(), batch_size=recipe.batch, shuffle=True)
    unet, optimiser, loader = accelerator.prepare(unet, optimiser, loader)
    for _ in range(recipe.epochs):
        for pixels, ids in loader:
            with accelerator.accumulate(unet):
                with torch.no_grad():
                    latents = base.vae.encode(pixels).latent_dist.sample() * base.scaling_factor
                    states = base.text_encoder(ids)[0]
                noise = torch.randn_like(latents)
                times = torch.randint(0, scheduler.config.num_train_timesteps, (len(latents),))
                noisy = scheduler.add_noise(latents, noise, times)
                loss = F.mse_loss(unet(noisy, times, states, return_dict=False)[0], noise)
                accelerator.backward(loss)
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(unet.parameters(), recipe.clip_norm)
                optimiser.step()
                optimiser.zero_grad()
            if accelerator.sync_gradients:
                ema.step(unet.parameters())
            loss.detach().item()


def peak_of(which: str, case: str, folder: Path) -> None:
    """Run in a process of its own: writes the most memory it ever held, in bytes."""
    base = base_of(case, folder)
    if which == "ours":
        ours(case, base, folder / f"peak-{which}")
    else:
        theirs(case, base)
    (folder / f"{which}.json").write_text(json.dumps(_most_memory()))


def _most_memory() -> int:
    """Of this process; getrusage's figure begins at what the process that started it held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
