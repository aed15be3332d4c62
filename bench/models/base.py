"""The base: any Stable-Diffusion-1.x/2.x-shaped folder or name on the hub, `mini-sd` among them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.digests import known_digest
from bench.errors import OfflineError, UsageError
from bench.hub import hub_name, snapshot
from bench.models.checks import INDEX, check_base
from bench.models.files import is_read, listed, part_variant, read_files
from bench.models.memory import keep_freed
from bench.models.pretrained import has_words
from bench.models.weights import check_floats, not_finite
from bench.paths import expanded

EMBEDDED = "mini-sd"
SLICED_ABOVE = 128
"""Side in pixels above which the autoencoder takes one picture at a time."""


def embedded_folder() -> Path:
    """Where the shipped base lies."""
    return Path(__file__).resolve().parent.parent / "zoo" / EMBEDDED


def base_folder(
    name: str, variant: str | None = None, offline: bool = False, role: str = "base"
) -> Path:
    """Folder of a base by name, path or name on the hub, checked from its configurations alone.

    `role` is what messages call it: a whole pipeline may be its own base.

    Raises:
        OfflineError: it is not here and may not or cannot be fetched.
        UsageError: it is no base that this suite can do with.
    """
    found = hub_name(name)
    if name == EMBEDDED:
        folder = embedded_folder()
    elif found is not None:
        folder = snapshot(found, partial(_wanted, variant, name), "base", offline)
    else:
        folder = expanded(name)
    if not folder.is_dir():
        raise OfflineError(
            f"no base model folder at {folder}; give --base {EMBEDDED}, the path of a "
            "Stable-Diffusion-shaped folder (diffusers format), or ORGANISATION/NAME on the hub"
        )
    check_base(folder, name, variant, role)
    return folder.resolve()


def base_label(name: str, folder: Path, variant: str | None = None) -> str:
    """What rows call a base: its folder, or its name on the hub with the commit's first digits."""
    found = hub_name(name)
    label = folder.name if found is None else f"{found.id}@{folder.name[:8]}"
    return f"{label} ({variant})" if variant else label


def base_identity(folder: Path, variant: str | None = None, role: str = "base") -> str:
    """sha256 over names and bytes of everything in the parts that a run reads."""
    total = hashlib.sha256()
    for name in read_files(listed(folder), variant, str(folder), role):
        total.update(f"{name}:{known_digest(folder / name)}\n".encode())
    return total.hexdigest()


def _wanted(variant: str | None, base: str, names: Iterable[str]) -> list[str]:
    """Of a repository's files those that a base is made of."""
    names = list(names)
    index = [name for name in names if name == INDEX]
    return index + read_files(names, variant, base)


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
    variant: str | None = None
    """Which of the folder's weights were read; None: the plain ones."""

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

    def anew(self, weights: Path | None = None) -> Base:
        """The same base as it was saved, or with other weights in its U-Net."""
        return load_base(self.folder, weights, self.variant)


def load_base(
    folder: Path, weights: Path | None = None, variant: str | None = None, role: str = "base"
) -> Base:
    """The pipeline's parts, frozen and in eval mode; `weights` replaces those of the U-Net.

    diffusers and transformers would fill in at random what a file lacks, and pass over what it has
    too much; here both are errors.
    """
    import torch
    from safetensors import SafetensorError

    keep_freed()
    # Ten bits of mantissa, the default of convolutions on a GPU, would drown CLiD's differences.
    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        unet, vae, text, tokenizer, scheduler = _read_parts(folder, variant)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{role} {folder} cannot be loaded: {said}; copy or fetch it again"
        ) from error
    if weights is not None:
        _put(weights, unet)
    for model in (unet, vae, text):
        model.to(device).eval().requires_grad_(False)
    base = Base(unet, vae, text, tokenizer, scheduler, folder, device, variant)
    # At 512 pixels a picture takes half a gigabyte and fills a device: 64 at once would need 34 GB
    # and be no faster. By size alone, so that bits depend on nothing else.
    if base.resolution > SLICED_ABOVE:
        vae.enable_slicing()
    return base


def _read_parts(folder: Path, variant: str | None) -> tuple[Any, ...]:
    """The five parts; ValueError if they do not fit together."""
    import diffusers
    import torch
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    unet = _loaded(diffusers.UNet2DConditionModel, folder, "unet", variant)
    vae = _loaded(diffusers.AutoencoderKL, folder, "vae", variant)
    # Otherwise transformers says in a log alone which weights do not fit.
    told = {"dtype": torch.float32, "ignore_mismatched_sizes": True}
    text = _loaded(transformers.CLIPTextModel, folder, "text_encoder", variant, **told)
    place = {"subfolder": "tokenizer", "local_files_only": True}
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, **place)
    if not has_words(tokenizer) or len(tokenizer) > text.config.vocab_size:
        known = text.config.vocab_size
        raise ValueError(f"tokenizer of {len(tokenizer)} words and text_encoder of {known}")
    # Samplers made of this must not clip latents as if they were pixels, and begin at step 1;
    # some folders do not say so, and diffusers' pipeline would correct it with a warning.
    corrected = {"clip_sample": False, "steps_offset": 1}
    scheduler = diffusers.DDPMScheduler.from_pretrained(
        folder, subfolder="scheduler", local_files_only=True, **corrected
    )
    return unet, vae, text, tokenizer, scheduler


def _loaded(kind: Any, folder: Path, part: str, variant: str | None, **single: Any) -> Any:
    """A part with all its weights and no others; ValueError if they do not fit."""
    import torch
    from safetensors import SafetensorError

    names = [path.name for path in (folder / part).iterdir()]
    read = part_variant(names, part, variant, str(folder))
    own = [folder / part / name for name in names if is_read(name, part, read)]
    check_floats(path for path in own if path.suffix == ".safetensors")
    try:
        model, info = kind.from_pretrained(
            folder,
            subfolder=part,
            variant=read,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **(single or {"torch_dtype": torch.float32}),
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        # diffusers goes on to advise what would fill in weights at random.
        raise ValueError(f"{part}: {str(error).partition(' If you want')[0]}") from None
    if others := info["mismatched_keys"]:
        raise ValueError(f"{part} has weights of other shapes, {min(others)} among them")
    # Saved by the transformers of SD 1.x: the numbers 0 to 76, which are no weights.
    surplus = {name for name in info["unexpected_keys"] if not name.endswith(".position_ids")}
    for what, keys in (("lacks", info["missing_keys"]), ("has too much:", surplus)):
        if keys:
            raise ValueError(f"{part} {what} {len(keys)} weights, {min(keys)} among them")
    if (name := not_finite(model)) is not None:
        raise ValueError(f"{part} has weights that are not finite, {name} among them")
    return model


def _put(weights: Path, unet: Any) -> None:
    """Gives the U-Net the weights of a file; UsageError if they are not its own."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        unet.load_state_dict(load_file(weights))
    except (OSError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"weights {weights} do not fit the base's U-Net: {said}") from error


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
