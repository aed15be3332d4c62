"""Low-rank adaptation (Hu et al., ICLR 2022) of the U-Net's attention, by peft.

Targets, scale (alpha = rank unless the recipe says otherwise) and Gaussian initialisation are those
of the diffusers script `train_text_to_image_lora.py`. Unlike there the adapter's gradients are
clipped: the script hands its clipping an iterator that its optimiser has already used up, so that
it clips nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.rng import generator

if TYPE_CHECKING:
    from torch import Tensor

LAYERS = ["to_q", "to_k", "to_v", "to_out.0"]
NAME = "default"


def attach(unet: Any, rank: int, alpha: int, seed: int) -> None:
    """Freezes the U-Net and puts a trainable update of this rank beside each attention layer."""
    import torch
    from peft import LoraConfig

    unet.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):  # peft draws from the global generator
        torch.manual_seed(int(generator(seed, "lora").integers(2**31)))
        unet.add_adapter(
            LoraConfig(
                r=rank,
                lora_alpha=alpha or rank,
                init_lora_weights="gaussian",
                target_modules=LAYERS,
            ),
            adapter_name=NAME,
        )


def merged(unet: Any) -> dict[str, Tensor]:
    """The U-Net's weights with the updates added, under their plain names: W + B A."""
    weights = {
        name.replace(".base_layer.", "."): value.detach().cpu().clone()
        for name, value in unet.state_dict().items()
        if ".lora_" not in name
    }
    for name, module in unet.named_modules():
        if hasattr(module, "get_delta_weight"):
            weights[f"{name}.weight"] += module.get_delta_weight(NAME).detach().cpu()
    return weights
