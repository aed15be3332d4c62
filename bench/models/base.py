"""Loads the base: any Stable-Diffusion-shaped folder, the embedded `mini-sd` among them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import OfflineError, UsageError
from bench.models.memory import keep_freed

EMBEDDED = "mini-sd"
SLICED_ABOVE = 128
"""Side in pixels above which the autoencoder takes one picture at a time."""
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def embedded_folder() -> Path:
    """Where the shipped base lies."""
    return Path(__file__).resolve().parent.parent / "zoo" / EMBEDDED


def base_folder(name: str) -> Path:
    """Folder of a base by name or path, checked for the parts of a Stable Diffusion pipeline."""
    folder = embedded_folder() if name == EMBEDDED else Path(name).expanduser()
    if not folder.is_dir():
        raise OfflineError(
            f"no base model folder at {folder}; give --base {EMBEDDED} or the path of a "
            "Stable-Diffusion-shaped folder (diffusers format)"
        )
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise UsageError(
            f"base {folder} lacks {', '.join(missing)}; not a diffusers pipeline folder"
        )
    return folder.resolve()


def base_identity(folder: Path) -> str:
    """sha256 over names and bytes of everything in the parts that a run reads."""
    total = hashlib.sha256()
    for part in PARTS:
        for path in sorted(p for p in (folder / part).rglob("*") if p.is_file()):
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()}:{digest}\n".encode())
    return total.hexdigest()


def resolution(folder: Path) -> int:
    """Side of the pictures in pixels, from the configurations alone."""
    latents = _config(folder, "unet", "sample_size", int)
    levels = _config(folder, "vae", "block_out_channels", list)
    return int(latents * 2 ** (len(levels) - 1))


def _config(folder: Path, part: str, name: str, kind: type) -> Any:
    """One value of a part's configuration; UsageError if it is not there or of another type."""
    try:
        value = json.loads((folder / part / "config.json").read_text(encoding="utf-8"))[name]
        if not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = f"no {name}" if isinstance(error, KeyError) else error
        raise UsageError(f"base {folder}: {part}/config.json cannot be read: {said}") from None
    return value


@dataclass
class Base:
    """The five parts of a text-to-image latent diffusion model, in float32 on one device."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    folder: Path
    device: Any

    @property
    def resolution(self) -> int:
        side: int = self.unet.config.sample_size * 2 ** (
            len(self.vae.config.block_out_channels) - 1
        )
        return side

    @property
    def scaling_factor(self) -> float:
        return float(self.vae.config.scaling_factor)

    @property
    def prediction_type(self) -> str:
        return str(self.scheduler.config.prediction_type)

    @property
    def alphas_cumprod(self) -> Any:
        return self.scheduler.alphas_cumprod.to(self.device)

    def alpha_bar(self, timestep: int) -> float:
        """One of them in double precision: 1 - abar_0 is 1e-3, of which float32 loses 1e-4."""
        return float((1 - self.scheduler.betas.double()).cumprod(0)[timestep])


def load_base(folder: Path, weights: Path | None = None) -> Base:
    """The pipeline's parts, frozen and in eval mode; `weights` replaces those of the U-Net."""
    import diffusers
    import torch
    import transformers
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import CLIPTextModel, CLIPTokenizer

    keep_freed()
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    single = {"torch_dtype": torch.float32}
    # Ten bits of mantissa, the default of convolutions on a GPU, would drown CLiD's differences.
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **single)
        vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", **single)
        text = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", dtype=torch.float32)
        tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
        scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    except (OSError, ValueError, SafetensorError) as error:
        raise UsageError(f"base {folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    if weights is not None:
        try:
            unet.load_state_dict(load_file(weights))
        except (OSError, RuntimeError, SafetensorError) as error:
            said = " ".join(str(error).split())[:200]
            raise UsageError(f"weights {weights} do not fit the base's U-Net: {said}") from error
    for model in (unet, vae, text):
        model.to(device).eval().requires_grad_(False)
    base = Base(unet, vae, text, tokenizer, scheduler, folder, device)
    # At 512 pixels a picture takes half a gigabyte and fills a device: 64 at once would need 34 GB
    # and be no faster. By size alone, so that bits depend on nothing else.
    if base.resolution > SLICED_ABOVE:
        vae.enable_slicing()
    return base


def encode_text(base: Base, captions: list[str]) -> Any:
    """Last hidden states, shape (n, tokens, d), padded to the tokenizer's full length as in SD."""
    ids = base.tokenizer(
        captions,
        padding="max_length",
        truncation=True,
        max_length=base.tokenizer.model_max_length,
        return_tensors="pt",
    ).input_ids
    return base.text_encoder(ids.to(base.device))[0]
