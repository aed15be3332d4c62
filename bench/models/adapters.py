"""LoRA adapters that others saved, by peft or by diffusers, merged into the base's weights.

W' = W + (alpha / r) B A (Hu et al., ICLR 2022, Eq. 3), by the libraries' own code, so that rank
patterns, rsLoRA, DoRA and adapters of convolutions are as their authors meant them. Both libraries
warn of what they cannot use and go on; here that is an error. Parts on the text encoder are merged
into the text encoder, never dropped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from bench.models.base import Base

LORA = "pytorch_lora_weights.safetensors"
PEFT, PEFT_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
UNET, TEXT = "unet", "text_encoder"
OF_TEXT = "text_model."
"""What CLIP's names began with before transformers 5."""
LAYERS_OF_TEXT = "encoder.layers."
Weights = dict[str, dict[str, "Tensor"]]


def peft_folders(place: Path) -> list[Path]:
    """The folder itself, or its `unet` and `text_encoder`, where peft saved an adapter."""
    return [f for f in (place, place / UNET, place / TEXT) if (f / PEFT).is_file()]


def named_base(place: Path) -> str | None:
    """What a peft adapter says that it was trained on."""
    named = _config(peft_folders(place)[0]).get("base_model_name_or_path")
    return str(named) if named else None


def tensor_names(path: Path) -> list[str]:
    """Names in a safetensors file, from its header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is no safetensors file: {str(error)[:200]}") from None


def merged_peft(place: Path, base: Base) -> Weights:
    """The weights of each part that the adapter, or pair of adapters, was made for."""
    found: Weights = {}
    for folder in peft_folders(place):
        kind = _config(folder).get("peft_type")
        if kind != "LORA":
            raise UsageError(f"adapter {folder} is of type {kind}; only LORA is known here")
        if not (folder / PEFT_WEIGHTS).is_file():
            raise UsageError(f"adapter {folder} lacks {PEFT_WEIGHTS}; pickles are never opened")
        names = tensor_names(folder / PEFT_WEIGHTS)
        part = TEXT if any(LAYERS_OF_TEXT in name for name in names) else UNET

        found[part] = _told(folder, partial(_merged_by_peft, folder, getattr(base, part)))
    return found


def _merged_by_peft(folder: Path, model: Any) -> dict[str, Tensor]:
    from peft import PeftConfig, PeftModel, set_peft_model_state_dict
    from safetensors.torch import load_file

    adapted = PeftModel(model, PeftConfig.from_pretrained(str(folder)))
    told = set_peft_model_state_dict(adapted, load_file(folder / PEFT_WEIGHTS))
    _complain(folder, told.unexpected_keys, "the base has no place for")
    _complain(folder, [name for name in told.missing_keys if "lora_" in name], "it lacks")
    return _plain(adapted.merge_and_unload(safe_merge=True))


def merged_lora(path: Path, base: Base) -> Weights:
    """The same of a file that diffusers saved, or of Kohya's, which diffusers translates.

    Where the file does not say alpha, it is the rank: so diffusers reads it.
    """
    from diffusers import StableDiffusionPipeline as Pipeline

    names = tensor_names(path)
    _complain(path, [name for name in names if "dora_scale" in name], "diffusers cannot read")
    _complain(path, [name for name in names if "lora" not in name], "no part of a LoRA is")
    state, alphas, metadata = _told(
        path,
        lambda: Pipeline.lora_state_dict(
            str(path.parent), weight_name=path.name, use_safetensors=True, local_files_only=True,
            return_lora_metadata=True,
        ),
    )  # fmt: skip
    loaders = {UNET: Pipeline.load_lora_into_unet, TEXT: Pipeline.load_lora_into_text_encoder}
    found: Weights = {}
    for part, own in _by_part(path, state).items():
        model = getattr(base, part)
        given = {f"{part}.{name}": value for name, value in own.items()}
        options = {part: model, "metadata": metadata, "adapter_name": "default"}
        _told(path, partial(loaders[part], given, network_alphas=alphas, **options))
        _check_taken(path, _as_peft(part, own), model)
        found[part] = _merged(model)
    return found


def _by_part(path: Path, state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The file's tensors under the names they have in U-Net and text encoder."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        if first in (UNET, TEXT):
            parts.setdefault(first, {})[rest] = value
        elif first in ("down_blocks", "mid_block", "up_blocks", "conv_in", "conv_out"):
            # `unet.save_lora_adapter` leaves out which part it was.
            parts.setdefault(UNET, {})[name] = value
        else:
            _complain(path, [name], "neither U-Net nor text encoder of Stable Diffusion has")
    return parts


def _as_peft(part: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names of old files as they are in a model with the adapter on it."""
    from diffusers.utils import (
        convert_state_dict_to_diffusers,
        convert_state_dict_to_peft,
        convert_unet_state_dict_to_peft,
    )

    if part == TEXT:
        state = convert_state_dict_to_peft(convert_state_dict_to_diffusers(state))
        return {name.removeprefix(OF_TEXT): value for name, value in state.items()}
    return convert_unet_state_dict_to_peft(state)


def _check_taken(path: Path, given: Mapping[str, Tensor], model: Any) -> None:
    """Every tensor of the file must stand in the model."""
    placed = {
        name.replace(".default", "").removeprefix(OF_TEXT): value
        for name, value in model.state_dict().items()
        if "lora_" in name
    }
    lost = [
        name
        for name, value in given.items()
        if name not in placed or not placed[name].equal(value.to(placed[name]))
    ]
    _complain(path, lost, "the base has no place for")


def _merged(model: Any) -> dict[str, Tensor]:
    """The model's weights with its active adapter added, under their plain names."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.merge(safe_merge=True)
    return _plain(model)


def _plain(model: Any) -> dict[str, Tensor]:
    return {
        name.replace(".base_layer.", "."): value.detach()
        for name, value in model.state_dict().items()
        if ".lora_" not in name
    }


def _told(path: Path, load: Callable[[], Any]) -> Any:
    """What `load` gives, or one line of what the library found wrong."""
    from safetensors import SafetensorError

    try:
        return load()
    except UsageError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:300]
        raise UsageError(f"adapter {path} does not fit the base: {said}") from None


def _complain(path: Path, names: Sequence[str], what: str) -> None:
    if names:
        more = f" ({len(names)} in all)" if len(names) > 1 else ""
        raise UsageError(f"adapter {path} does not fit: {what} {min(names)}{more}")


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = dict(json.loads((folder / PEFT).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"adapter {folder}: {PEFT} cannot be read: {error}") from None
    return found
