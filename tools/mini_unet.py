"""The latent U-Net of Stable Diffusion's shape, at 8x8, pre-trained on the public pairs."""

import copy
import time
from random import Random
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from mini_clip import set_rate, tokens
from mini_data import Public, reword, to_signed
from mini_vae import encode
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPTextModel, CLIPTokenizer

EMPTY = 0.1
WORDINGS = 3


def make_unet(cross_width: int) -> UNet2DConditionModel:
    """About 4.2 M parameters; text attention at the lower level only."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(64, 128),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=(2, 1),
        norm_num_groups=32,
        attention_head_dim=4,
        cross_attention_dim=cross_width,
    )


def make_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


@torch.no_grad()
def text_states(text: CLIPTextModel, tokenizer: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Last hidden states, padded to full length as Stable Diffusion's pipeline does."""
    ids = tokens(tokenizer, captions, padding="max_length")
    return torch.cat([text(input_ids=part).last_hidden_state for part in ids.split(256)])


@torch.no_grad()
def both_ways(vae: AutoencoderKL, public: Public) -> Tensor:
    """Scaled mean latents of every picture and of its mirror image: [2, N, 4, 8, 8]."""
    images = to_signed(public.images)
    ways = [encode(vae, way) for way in (images, images.flip(3))]
    return torch.stack(ways) * vae.config.scaling_factor


class Average:
    """Exponential moving average of a model's weights, with a short start."""

    def __init__(self, model: torch.nn.Module, decay: float = 0.999) -> None:
        self.model, self.decay, self.step = copy.deepcopy(model).eval(), decay, 0

    @torch.no_grad()
    def update(self, model: torch.nn.Module) -> None:
        self.step += 1
        weight = 1 - min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), weight)


def train_unet(
    public: Public,
    vae: AutoencoderKL,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    seed: int,
    steps: int,
    start_from: UNet2DConditionModel | None = None,
    batch: int = 32,
) -> tuple[UNet2DConditionModel, dict[str, Any]]:
    """Noise-prediction training with frozen text states; returns the averaged model and facts."""
    torch.manual_seed(seed)
    random, generator = Random(seed), torch.Generator().manual_seed(seed)
    latents = both_ways(vae, public)
    wordings = [public.captions]
    wordings += [[reword(row, random) for row in public.rows] for _ in range(WORDINGS - 1)]
    states = torch.stack([text_states(text, tokenizer, lines) for lines in wordings])
    empty = text_states(text, tokenizer, [""])[0]
    model = (start_from or make_unet(states.shape[-1])).train()
    rate, scheduler = 6e-4 if start_from else 8e-4, make_scheduler()
    average = Average(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-2, fused=True)
    start, losses = time.perf_counter(), []
    for step in range(steps):
        set_rate(optimizer, rate, step, step / steps, warm=300)
        rows = torch.randint(0, latents.shape[1], (batch,), generator=generator)
        clean = latents[torch.randint(0, 2, (batch,), generator=generator), rows]
        words = states[torch.randint(0, WORDINGS, (batch,), generator=generator), rows]
        words[torch.rand(batch, generator=generator) < EMPTY] = empty
        loss = noise_loss(model, scheduler, clean, words, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model)
        losses.append(loss.item())
        if step % 200 == 199:
            print(f"unet {step + 1} loss {sum(losses[-200:]) / 200:.4f}", flush=True)
    spent = time.perf_counter() - start
    return average.model, {
        "steps": len(losses),
        "batch": batch,
        "seed": seed,
        "epochs": round(batch * len(losses) / latents.shape[1], 1),
        "minutes": round(spent / 60, 1),
        "pictures_per_second": round(batch * len(losses) / spent, 1),
        "loss": round(sum(losses[-500:]) / len(losses[-500:]), 4),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def noise_loss(
    model: UNet2DConditionModel,
    scheduler: DDIMScheduler,
    clean: Tensor,
    words: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Mean squared error of the predicted noise at uniformly drawn timesteps."""
    times = torch.randint(0, 1000, (len(clean),), generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    noisy = scheduler.add_noise(clean, noise, times)
    return F.mse_loss(model(noisy, times, encoder_hidden_states=words).sample, noise)


@torch.no_grad()
def denoising_loss(
    model: UNet2DConditionModel, latents: Tensor, states: Tensor, rounds: int = 4
) -> float:
    """The same loss with fixed draws, for a report on pairs never trained on."""
    generator, scheduler = torch.Generator().manual_seed(0), make_scheduler()
    values = []
    for _ in range(rounds):
        for clean, words in zip(latents.split(64), states.split(64), strict=True):
            loss = noise_loss(model, scheduler, clean, words, generator)
            values.append((loss.item(), len(clean)))
    return sum(loss * count for loss, count in values) / sum(count for _, count in values)
