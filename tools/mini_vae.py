"""A small KL autoencoder: 32x32 pictures to 8x8x4 latents, in Stable Diffusion's own class."""

import time
from typing import Any

import torch
from diffusers import AutoencoderKL
from mini_clip import set_rate
from mini_data import Public, jitter, pixelate, recolour, to_signed
from torch import Tensor
from torch.nn import functional as F

KL_WEIGHT = 1e-6
BATCH = 16


def make_vae(channels: tuple[int, ...] = (16, 32, 64)) -> AutoencoderKL:
    """Factor 4, one residual block a level going down, two going up."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
    )


def edges(images: Tensor) -> Tensor:
    """Differences of neighbouring pixels, both ways, as one row a picture."""
    across = images[..., 1:] - images[..., :-1]
    down = images[..., 1:, :] - images[..., :-1, :]
    return torch.cat([across.flatten(1), down.flatten(1)], dim=1)


def augment(images: Tensor, generator: torch.Generator, step: int) -> Tensor:
    """Shifts always; other colours in half of the batches; coarse pixels in a quarter."""
    images = jitter(images, generator)
    if step % 2:
        images = recolour(images, generator)
    return pixelate(images, 2) if step % 4 == 0 else images


def fit(model: AutoencoderKL, images: Tensor, seed: int, steps: int, rate: float) -> dict[str, Any]:
    """L1 + L2 + edge loss and a very small KL over what is trainable; returns the facts."""
    generator = torch.Generator().manual_seed(seed)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=1e-4, fused=True)
    start, losses = time.perf_counter(), []
    for step in range(steps):
        set_rate(optimizer, rate, step, step / steps)
        rows = torch.randint(0, len(images), (BATCH,), generator=generator)
        batch = augment(images[rows], generator, step)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = model.encode(batch).latent_dist
            output = model.decode(posterior.sample(generator)).sample.float()
        error = F.l1_loss(output, batch) + F.mse_loss(output, batch)
        error = error + 0.5 * F.l1_loss(edges(output), edges(batch))
        loss = error + KL_WEIGHT * posterior.kl().float().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 200 == 199:
            print(f"vae {step + 1} loss {sum(losses[-200:]) / 200:.4f}", flush=True)
    return {
        "steps": len(losses),
        "batch": BATCH,
        "seed": seed,
        "minutes": round((time.perf_counter() - start) / 60, 1),
        "loss": round(sum(losses[-200:]) / len(losses[-200:]), 4),
        "parameters": sum(weight.numel() for weight in weights),
    }


def train_vae(
    public: Public, seed: int, steps: int, channels: tuple[int, ...]
) -> tuple[AutoencoderKL, dict[str, Any]]:
    """Train from nothing; then measure the latents' scale on the public pictures."""
    torch.manual_seed(seed)
    model = make_vae(channels).train()
    images = to_signed(public.images)
    facts = fit(model, images, seed, steps, 2e-3)
    scale = round(1 / encode(model.eval(), images).std().item(), 5)
    model.register_to_config(scaling_factor=scale)
    return model, facts | {"channels": list(channels), "scaling_factor": scale}


def refine_decoder(
    model: AutoencoderKL, images: Tensor, seed: int, steps: int
) -> tuple[AutoencoderKL, dict[str, Any]]:
    """Train the decoder on; the encoder stays, and so do the latents a U-Net has learnt."""
    model.train().requires_grad_(False)
    model.decoder.requires_grad_(True)
    model.post_quant_conv.requires_grad_(True)
    facts = fit(model, to_signed(images), seed, steps, 1e-3)
    return model.eval(), facts


@torch.no_grad()
def encode(model: AutoencoderKL, images: Tensor) -> Tensor:
    """Means of the latents, not yet scaled."""
    return torch.cat([model.encode(part).latent_dist.mean for part in images.split(64)])


@torch.no_grad()
def psnr(model: AutoencoderKL, images: Tensor) -> float:
    """Mean over pictures of the peak signal-to-noise ratio of mean-latent reconstructions."""
    values = []
    for part in images.split(64):
        output = model.decode(model.encode(part).latent_dist.mean).sample.clamp(-1, 1)
        errors = ((output - part) / 2).square().flatten(1).mean(dim=1)
        values.append(-10 * torch.log10(errors.clamp(min=1e-10)))
    return torch.cat(values).mean().item()
