"""Check a built base model: do its samples follow their captions, and how well does it denoise?

    python tools/check_base.py --base DIR --public public.npz --judge JUDGE --sheet samples.png

Captions are drawn from the trained and from the held-out public pairs. A second CLIP, trained
with another seed and width, must find a sample's own caption among 32 at least five times
as often as chance; the same figure for the real pictures is its ceiling. Exit status 1 otherwise.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from mini_clip import picture_vectors, retrieval, text_vectors, tokens
from mini_data import Public, load_public, on_blackboard, to_signed
from mini_unet import both_ways, denoising_loss, text_states
from mini_vae import encode, psnr
from sample_sheet import draw_sheet
from torch import Tensor
from transformers import CLIPModel

CHOICES = 32
TIMES_CHANCE = 5


def pick(public: Public, count: int, seed: int) -> Public:
    """Up to `count` pairs with titles of their own, in a seeded order."""
    order = torch.randperm(len(public.rows), generator=torch.Generator().manual_seed(seed))
    by_title = {public.rows[i]["title"]: i for i in reversed(order.tolist())}
    keep = list(by_title.values())[::-1][:count]
    return Public(public.images[keep], [public.rows[i] for i in keep])


def sample(pipe: StableDiffusionPipeline, captions: list[str], scale: float, seed: int) -> Tensor:
    """Pictures in [-1, 1] for captions: 25 DDIM steps, each caption with noise of its own."""
    parts = []
    for start in range(0, len(captions), 32):
        chunk = captions[start : start + 32]
        noise = [torch.Generator().manual_seed(seed + start + i) for i in range(len(chunk))]
        out = pipe(
            chunk, num_inference_steps=25, guidance_scale=scale, generator=noise, output_type="np"
        )
        parts.append(torch.from_numpy(out.images).permute(0, 3, 1, 2).float() * 2 - 1)
    return torch.cat(parts)


@torch.no_grad()
def judged(judge: CLIPModel, ids: Tensor, images: Tensor) -> float:
    """How often the judge finds the right caption among 32."""
    parts = [picture_vectors(judge, part) for part in images.split(64)]
    return round(retrieval(torch.cat(parts), text_vectors(judge, ids), CHOICES), 4)


def nearest_is_own(made: Tensor, real: Tensor) -> float:
    """Share of samples whose nearest real picture, in pixels, is the one of their own caption."""
    gaps = torch.cdist(made.flatten(1), real.flatten(1))
    return round((gaps.argmin(dim=1) == torch.arange(len(made))).float().mean().item(), 4)


def check_part(
    pipe: StableDiffusionPipeline, judge: CLIPModel, part: Public, scale: float, seed: int
) -> tuple[dict[str, Any], Tensor]:
    """Retrieval with samples and with real pictures, on one part of the public pairs."""
    ids = tokens(pipe.tokenizer, part.captions)
    made = sample(pipe, part.captions, scale, seed)
    folder = Path(pipe.config._name_or_path) / "clip"
    own = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    real = to_signed(part.images)
    return {
        "captions": len(part.rows),
        "samples": judged(judge, ids, made),
        "real": judged(judge, ids, real),
        "samples_own_clip": judged(own, ids, made),
        "real_own_clip": judged(own, ids, real),
        "copies": nearest_is_own(made, real),
    }, made


def loss_of(pipe: StableDiffusionPipeline, public: Public) -> dict[str, float]:
    """Denoising loss with the right captions and with the empty one."""
    latents = both_ways(pipe.vae, public)[0]
    states = text_states(pipe.text_encoder, pipe.tokenizer, public.captions)
    empty = text_states(pipe.text_encoder, pipe.tokenizer, [""]).expand_as(states)
    pairs = {"caption": states, "empty": empty}
    return {k: round(denoising_loss(pipe.unet, latents, v), 4) for k, v in pairs.items()}


@torch.no_grad()
def speeds(pipe: StableDiffusionPipeline) -> dict[str, float]:
    """Pictures per second of one thread: encoding, and one U-Net evaluation."""
    images, latents = torch.randn(256, 3, 32, 32), torch.randn(64, 4, 8, 8)
    states = torch.randn(64, pipe.tokenizer.model_max_length, pipe.unet.config.cross_attention_dim)
    encode(pipe.vae, images)
    start = time.perf_counter()
    encode(pipe.vae, images)
    middle = time.perf_counter()
    for _ in range(4):
        pipe.unet(latents, 500, encoder_hidden_states=states)
    end = time.perf_counter()
    return {"encode": round(256 / (middle - start)), "unet": round(256 / (end - middle))}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--base", type=Path, required=True, help="folder of the pipeline")
    parser.add_argument("--public", type=Path, required=True, help="npz of public_pictures.py")
    parser.add_argument("--judge", type=Path, required=True, help="folder of the second CLIP")
    parser.add_argument("--sheet", type=Path, required=True, help="PNG of samples to write")
    parser.add_argument("--report", type=Path, help="JSON of the figures to write")
    parser.add_argument("--other", type=Path, help="npz `images` [N,32,32,3], only for PSNR")
    parser.add_argument("--count", type=int, default=192, help="captions of each part")
    parser.add_argument("--scale", type=float, default=4.0, help="guidance scale")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pipe = StableDiffusionPipeline.from_pretrained(
        args.base, safety_checker=None, torch_dtype=torch.float32
    )
    pipe.set_progress_bar_config(disable=True)
    judge = CLIPModel.from_pretrained(args.judge, dtype=torch.float32).eval()
    public = on_blackboard(load_public(args.public))
    weights = sum(path.stat().st_size for path in args.base.rglob("*.safetensors"))
    report: dict[str, Any] = {"guidance": args.scale, "weights_mb": round(weights / 1e6, 2)}
    report["speed"] = speeds(pipe)
    if args.other:
        images = np.load(args.other, allow_pickle=False)["images"]
        other = to_signed(torch.from_numpy(images).permute(0, 3, 1, 2))
        report["psnr_other"] = round(psnr(pipe.vae, other), 2)
    drawn = []
    for name, held_out in (("trained", False), ("held_out", True)):
        whole = public.part(held_out)
        part = pick(whole, args.count, args.seed)
        figures, made = check_part(pipe, judge, part, args.scale, args.seed)
        figures["denoising_loss"] = loss_of(pipe, pick(whole, 512, args.seed))
        figures["psnr"] = round(psnr(pipe.vae, to_signed(part.images)), 2)
        report[name] = figures
        drawn.append((name, part, made))
    draw_sheet(drawn, args.sheet)
    print(json.dumps(report, indent=2))
    if args.report:
        args.report.write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(report["trained"]["samples"] < TIMES_CHANCE / CHOICES)


if __name__ == "__main__":
    main()
