"""Counts the arithmetic of a base's parts from their configurations, without weights or memory.

python tools/count_flops.py FOLDER

Every part is built on torch's meta device; multiplications and additions count apart, as in
published figures of GPUs (one multiply-add is 2).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, CLIPTextModel


def main(folder: Path) -> None:
    """Parameters of each part, and operations for one picture, row or caption."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
        about = AutoConfig.from_pretrained(folder / "text_encoder")
        text = CLIPTextModel(about)
    side = unet.config.sample_size
    pixels = side * 2 ** (len(vae.config.block_out_channels) - 1)
    latent = torch.empty(1, unet.config.in_channels, side, side, device="meta")
    said = torch.empty(
        1, about.max_position_embeddings, unet.config.cross_attention_dim, device="meta"
    )
    image = torch.empty(1, 3, pixels, pixels, device="meta")
    words = torch.zeros(1, about.max_position_embeddings, dtype=torch.long, device="meta")
    time = torch.zeros(1, dtype=torch.long, device="meta")

    def predict() -> torch.Tensor:
        return unet(latent, time, encoder_hidden_states=said).sample

    for name, part in (("U-Net", unet), ("VAE", vae), ("text encoder", text)):
        print(f"{name}: {sum(p.numel() for p in part.parameters()) / 1e6:.1f} M parameters")
    print(f"at {pixels} x {pixels} pixels, 1e9 operations:")
    with torch.no_grad():
        _tell("U-Net, one query", predict)
        _tell("VAE, one picture encoded", lambda: vae.encode(image))
        _tell("VAE, one picture decoded", lambda: vae.decode(latent))
        _tell("text encoder, one caption", lambda: text(words))
    _tell("U-Net, one picture learnt from", lambda: predict().sum().backward())


def _tell(what: str, run: Callable[[], Any]) -> None:
    with FlopCounterMode(display=False) as counter:
        run()
    print(f"  {what}: {counter.get_total_flops() / 1e9:,.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
