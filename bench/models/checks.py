"""Whether a base is one that this suite can do with, from its configuration files alone.

Everything that a run reads off a configuration is asked for here, so that nothing is ever assumed:
channels, widths, schedule, what the U-Net predicts. Shapes of weights are checked when they are
loaded.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.models.files import PARTS, listed, read_files

SUPPORTED = "supported is Stable Diffusion 1.x and 2.x in the diffusers format"
INDEX = "model_index.json"
FILES = {"scheduler": "scheduler_config.json", "tokenizer": "tokenizer_config.json"}
"""Configurations that are not called config.json."""
CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
MORE_INPUTS = (
    "addition_embed_type",
    "class_embed_type",
    "num_class_embeds",
    "encoder_hid_dim_type",
)
"""Of a U-Net that is told more than latent, timestep and caption, as that of SDXL."""
OTHER_LATENTS = ("shift_factor", "latents_mean", "latents_std")
"""Of an autoencoder whose latents are more than scaled, as those of SD 3 and Flux."""
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace")
TIMESTEPS = 1000
"""Of every Stable Diffusion; attacks' grids and the evaluation of utility end there."""
PREDICTIONS = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class Configurations:
    """A base's configuration files; every complaint names base and file."""

    folder: Path
    name: str
    """The base as it was typed."""
    role: str = "base"
    """What it was given as."""

    def wrong(self, said: str) -> UsageError:
        return UsageError(f"{self.role} {self.name} {said}")

    def of(self, part: str) -> dict[str, Any]:
        """All that a part's configuration says."""
        file = f"{part}/{FILES.get(part, 'config.json')}"
        try:
            said = json.loads((self.folder / file).read_text(encoding="utf-8"))
            if not isinstance(said, dict):
                raise TypeError("not an object")
        except (OSError, ValueError, TypeError) as error:
            told = error.strerror if isinstance(error, OSError) else error
            raise self.wrong(
                f"has a {file} that cannot be read: {told}; copy or fetch the base again"
            ) from None
        return said

    def value(self, part: str, key: str, kind: type | tuple[type, ...] = int) -> Any:
        """One value of a part's configuration, of this type; whole numbers are at least 1."""
        said = self.of(part)
        right = isinstance(said.get(key), kind) and not isinstance(said[key], bool)
        if not right or (isinstance(said[key], int) and said[key] < 1):
            file = f"{part}/{FILES.get(part, 'config.json')}"
            told = f"{key} is {said[key]!r}" if key in said else f"no {key}"
            raise self.wrong(
                f"has a {file} that this suite cannot use: {told}; give another with --base"
            )
        return said[key]

    def pipeline(self) -> str:
        """The pipeline that the folder was saved from, in brackets; empty where it does not say."""
        try:
            said = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
            return f" ({said['_class_name']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def check_base(folder: Path, name: str, variant: str | None = None, role: str = "base") -> None:
    """UsageError, in one line, for a folder that is no base of this suite; reads no weights."""
    given = Configurations(folder, name, role)
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise given.wrong(f"lacks {', '.join(missing)}{given.pipeline()}; {SUPPORTED}")
    _check_classes(given)
    _check_shapes(given)
    _check_schedule(given)
    read_files(listed(folder), variant, name, role)


def resolution(folder: Path) -> int:
    """Side of the pictures in pixels, from the configurations alone."""
    given = Configurations(folder, str(folder))
    levels = given.value("vae", "block_out_channels", list)
    return int(given.value("unet", "sample_size") * 2 ** (len(levels) - 1))


def _check_classes(given: Configurations) -> None:
    for part, wanted in CLASSES.items():
        found = given.of(part).get("_class_name", wanted)
        if found != wanted:
            raise given.wrong(
                f"has a {found} as its {part}, not a {wanted}{given.pipeline()}; {SUPPORTED}"
            )
    text = given.of("text_encoder")
    found = text.get("architectures") or ["CLIPTextModel"]
    if "CLIPTextModel" not in found or text.get("model_type") != "clip_text_model":
        told = f"{found[0]} of type {text.get('model_type')}"
        raise given.wrong(
            f"has a {told} as its text_encoder, not a CLIPTextModel{given.pipeline()}; {SUPPORTED}"
        )
    if "transformers_weights" in text:
        raise given.wrong("names another file of weights in text_encoder/config.json: take it out")
    tokenizer = given.of("tokenizer").get("tokenizer_class", "CLIPTokenizer")
    if tokenizer not in ("CLIPTokenizer", "CLIPTokenizerFast"):
        raise given.wrong(f"has a {tokenizer}, not a CLIPTokenizer{given.pipeline()}; {SUPPORTED}")
    for part, keys in (("unet", MORE_INPUTS), ("vae", OTHER_LATENTS)):
        for key in keys:
            if given.of(part).get(key) is not None:
                told = f"{key} in {part}/config.json{given.pipeline()}"
                raise given.wrong(f"has {told}, which this suite does not know; {SUPPORTED}")


def _check_shapes(given: Configurations) -> None:
    for part in ("vae", "unet"):
        if not all(_whole(one) for one in given.value(part, "block_out_channels", list) or [None]):
            levels = given.of(part)["block_out_channels"]
            raise given.wrong(
                f"has a {part}/config.json that this suite cannot use: block_out_channels is "
                f"{levels!r}, not the channels of each level"
            )
    _check_blocks(given)
    resolution(given.folder)
    latents = given.value("vae", "latent_channels")
    for key, does in (("in_channels", "reads"), ("out_channels", "puts out")):
        channels = given.value("unet", key)
        if channels != latents:
            hint = " (an inpainting, depth or upscaling model?)" if key == "in_channels" else ""
            raise given.wrong(
                f"has a U-Net that {does} {channels} channels and a VAE of {latents}{hint}"
            )
    width = given.value("text_encoder", "hidden_size")
    asked = given.value("unet", "cross_attention_dim", (int, list))
    if any(one != width for one in (asked if isinstance(asked, list) else [asked])):
        raise given.wrong(
            f"has a U-Net that attends to text of width {asked} and a text encoder of width {width}"
        )
    places = given.value("text_encoder", "max_position_embeddings")
    tokens = given.value("tokenizer", "model_max_length")
    if tokens > places:
        raise given.wrong(
            f"has a tokenizer of {tokens} tokens and a text encoder with places for {places}"
        )
    scale = given.of("vae").get("scaling_factor", 1.0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise given.wrong(f"has a scaling_factor of {scale!r} in vae/config.json")


def _check_blocks(given: Configurations) -> None:
    """The U-Net has a block a level, and heads that share its channels evenly."""
    told = given.of("unet")
    levels = told["block_out_channels"]
    for key, end in (("down_block_types", "DownBlock2D"), ("up_block_types", "UpBlock2D")):
        blocks = given.value("unet", key, list)
        if len(blocks) != len(levels) or not all(str(one).endswith(end) for one in blocks):
            raise given.wrong(
                f"has a unet/config.json that this suite cannot use: {key} is {blocks!r}, not one "
                f"...{end} for each of {len(levels)} levels"
            )
    key = "attention_head_dim" if told.get("num_attention_heads") is None else "num_attention_heads"
    heads = told.get(key, 8)
    each = heads if isinstance(heads, list) else [heads] * len(levels)
    attends = [str(block).startswith("CrossAttn") for block in told["down_block_types"]]
    fits = len(each) == len(levels) and all(
        _whole(n) and (channels % n == 0 or not attentive)
        for n, channels, attentive in zip(each, levels, attends, strict=True)
    )
    if not fits:
        raise given.wrong(
            f"has a unet/config.json that this suite cannot use: {key} is {heads!r}, which does "
            f"not divide the block_out_channels {levels!r}"
        )


def _whole(value: Any) -> bool:
    """Whether it is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_schedule(given: Configurations) -> None:
    """The schedule of the training is read off whatever sampler the folder was saved with."""
    said = given.of("scheduler")
    kind = said.get("_class_name", "scheduler")
    steps = given.value("scheduler", "num_train_timesteps")
    if steps < TIMESTEPS:
        raise given.wrong(
            f"has a scheduler/scheduler_config.json of num_train_timesteps {steps}: attacks and "
            f"the held-out loss ask at 450 and above, up to {TIMESTEPS - 1}"
        )
    if (trained := said.get("trained_betas")) is not None:
        betas = trained if isinstance(trained, list) and len(trained) == steps else [None]
    else:
        if said.get("beta_schedule") not in SCHEDULES:
            told = said.get("beta_schedule", "no beta_schedule")
            raise given.wrong(f"has a {kind} with {told}; known: {', '.join(SCHEDULES)}")
        betas = [said.get("beta_start"), said.get("beta_end")]
    if not all(isinstance(beta, float) and 0 < beta < 1 for beta in betas):
        raise given.wrong(f"has a {kind} whose betas are no numbers between 0 and 1")
    prediction = said.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise given.wrong(
            f"has the prediction type {prediction!r}; known: {', '.join(PREDICTIONS)}"
        )
    if said.get("rescale_betas_zero_snr"):
        raise given.wrong(
            "has rescale_betas_zero_snr: at its last timestep nothing of the picture is left, "
            "which attacks divide by; not supported"
        )
