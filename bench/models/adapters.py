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

    path.open("rb").close()  # what may not be read, the library takes for what is not there
    try:
        with safe_open(path, "pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is no safetensors file: {str(error)[:200]}") from None


def merged_peft(place: Path, base: Base) -> Weights:
    """The weights of each part that the adapter, or pair of adapters, was made for."""
    from peft import PeftConfig
    from safetensors.torch import load_file

    found: Weights = {}
    for folder in peft_folders(place):
        _check_config(folder, _config(folder))
        path = folder / PEFT_WEIGHTS
        if not path.is_file():
            raise UsageError(f"adapter {folder} lacks {PEFT_WEIGHTS}; pickles are never opened")
        part = TEXT if any(LAYERS_OF_TEXT in name for name in tensor_names(path)) else UNET
        config = _told(folder, partial(PeftConfig.from_pretrained, str(folder)))
        state = _told(folder, partial(load_file, path))
        found[part] = _told(folder, partial(_merged, folder, getattr(base, part), config, state))
    return found


def merged_lora(path: Path, base: Base) -> Weights:
    """The same of a file that diffusers saved, or of Kohya's, which diffusers translates.

    Where the file does not say alpha, it is the rank: so diffusers reads it.
    """
    from diffusers import StableDiffusionPipeline as Pipeline
    from peft import LoraConfig

    names = tensor_names(path)
    _complain(path, [name for name in names if "dora_scale" in name], "diffusers cannot read")
    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True}
    options |= {"weight_name": path.name, "return_lora_metadata": True}
    state, alphas, told = _told(
        path, partial(Pipeline.lora_state_dict, str(path.parent), **options)
    )
    found: Weights = {}
    for part, own in _by_part(path, state).items():
        names_there = _told(path, partial(_as_peft, part, {name: name for name in own}))
        given = {there: own[here] for there, here in names_there.items()}
        if settings := _of_part(part, told or {}):
            config = _told(path, partial(LoraConfig, **settings))
        else:
            config = _inferred(given, _alphas(names_there, _of_part(part, alphas or {})))
        found[part] = _told(path, partial(_merged, path, getattr(base, part), config, given))
    return found


def _merged(path: Path, model: Any, config: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The model's weights with this adapter added; every tensor of it must find its place."""
    from peft import PeftModel, set_peft_model_state_dict

    adapted = PeftModel(model, config)
    prefix = "base_model.model."
    given = {name if name.startswith(prefix) else prefix + name: v for name, v in state.items()}
    told: Any = set_peft_model_state_dict(adapted, given)
    _complain(path, told.unexpected_keys, "the base has no place for")
    _complain(path, [name for name in told.missing_keys if "lora_" in name], "it lacks")
    merged = adapted.merge_and_unload(safe_merge=True)
    return {name: value.detach() for name, value in merged.state_dict().items()}


def _by_part(path: Path, state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The file's tensors under the names they have in U-Net and text encoder."""
    if not state:
        raise UsageError(f"adapter {path} is empty")
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


def _of_part(part: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of one part, their names without it."""
    start = f"{part}."
    return {k.removeprefix(start): v for k, v in given.items() if k.startswith(start)}


def _as_peft(part: str, state: dict[str, Any]) -> dict[str, Any]:
    """The same under peft's names, whichever of diffusers' own the file has."""
    from diffusers.utils import (
        convert_state_dict_to_diffusers,
        convert_state_dict_to_peft,
        convert_unet_state_dict_to_peft,
    )

    if part == TEXT:
        state = convert_state_dict_to_peft(convert_state_dict_to_diffusers(state))
        return {name.removeprefix(OF_TEXT): value for name, value in state.items()}
    found: dict[str, Any] = convert_unet_state_dict_to_peft(state)
    return found


def _alphas(names: Mapping[str, str], alphas: Mapping[str, float]) -> dict[str, float]:
    """Alpha by module, where the file gives it beside a tensor of that module."""
    return {
        there.split(".lora_")[0]: alphas[key]
        for there, here in names.items()
        for key in (f"{here.split('.lora.')[0]}.alpha", f"{here}.alpha")
        if key in alphas
    }


def _inferred(state: Mapping[str, Tensor], alphas: Mapping[str, float]) -> Any:
    """The configuration that tensors and alphas show, each module by its full name."""
    from peft import LoraConfig

    ranks = {
        name.split(".lora_")[0]: value.shape[1]
        for name, value in state.items()
        if ".lora_B." in name and value.ndim > 1
    }
    return LoraConfig(
        target_modules=sorted({name.split(".lora_")[0] for name in state}),
        rank_pattern={f"^{module}": rank for module, rank in ranks.items()},
        alpha_pattern={f"^{module}": alphas.get(module, rank) for module, rank in ranks.items()},
        lora_bias=any(".lora_B." in name and name.endswith(".bias") for name in state),
    )


def _told(path: Path, load: Callable[[], Any]) -> Any:
    """What `load` gives, or one line of what the library found wrong."""
    from safetensors import SafetensorError

    try:
        return load()
    except UsageError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        told = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        said = " ".join(told.split())[:300]
        raise UsageError(f"adapter {path} does not fit the base: {said}") from None


def _complain(path: Path, names: Sequence[str], what: str) -> None:
    if names:
        more = f" ({len(names)} in all)" if len(names) > 1 else ""
        raise UsageError(f"adapter {path} does not fit: {what} {min(names)}{more}")


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / PEFT).read_text(encoding="utf-8"))
    except OSError as error:
        said = error.strerror
        raise UsageError(f"adapter {folder}: {PEFT} cannot be read: {said}") from None
    except ValueError as error:
        raise UsageError(f"adapter {folder}: {PEFT} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"adapter {folder}: {PEFT} is not a JSON object; save it again with peft")
    return found


def _check_config(folder: Path, said: Mapping[str, Any]) -> None:
    """One line for what peft would stumble over."""
    if (kind := said.get("peft_type")) != "LORA":
        raise UsageError(f"adapter {folder} is of type {kind}; only LORA is known here")
    for key, types, what in (("r", int, "whole number"), ("lora_alpha", int | float, "number")):
        value = said.get(key, 8)
        if not isinstance(value, types) or isinstance(value, bool) or not value > 0:
            raise UsageError(
                f"adapter {folder}: {key} is {json.dumps(value)} in {PEFT}, no {what} above 0"
            )
