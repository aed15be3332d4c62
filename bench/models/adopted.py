"""A model that somebody else trained: what its files are, and its weights in the base's shape.

Five forms are told apart by what lies there: a whole pipeline folder, a U-Net's folder, one
safetensors file of a U-Net, a LoRA adapter as peft saves it, and one as diffusers saves it. The
last four are nothing without a base.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import OfflineError, UsageError
from bench.files import file_digest
from bench.hub import hub_name, snapshot
from bench.models import adapters
from bench.models.base import Base, base_identity, load_base
from bench.models.files import PARTS, listed, read_files, variant_there
from bench.models.frames import check_frame, rounded
from bench.models.pretrained import named_digests
from bench.models.weights import check_floats
from bench.paths import expanded
from bench.specs import Adopted

if TYPE_CHECKING:
    from torch import Tensor

INDEX = "model_index.json"
FORMS = (
    "a pipeline or U-Net folder of diffusers, a U-Net's .safetensors, or a LoRA adapter saved by "
    "peft or diffusers"
)
SINGLE_FILE = "model.diffusion_model."
"""How the names of Stable Diffusion's original checkpoints begin."""


def adopted(name: str, role: str = "target", variant: str | None = None) -> Adopted:
    """The model of this name with its form and identity; one line if there is none.

    `variant` chooses among the weights of a whole pipeline that has no plain ones.
    """
    place = located(name, role, variant)
    if place.is_file():
        return Adopted(path=str(place), label=place.stem, form=_file_form(place, role),
                       identity=file_digest(place))  # fmt: skip
    if adapters.peft_folders(place):
        digests = [
            line for folder in adapters.peft_folders(place) for line in named_digests(folder)
        ]
        return _folder(place, "peft", _hashed(digests))
    if (place / adapters.LORA).is_file():
        return Adopted(path=str(place / adapters.LORA), label=place.name, form="lora",
                       identity=file_digest(place / adapters.LORA))  # fmt: skip
    if all((place / part).is_dir() for part in PARTS):
        return _folder(
            place, "pipeline", base_identity(place, pipeline_variant(place, variant), role)
        )
    if (place / INDEX).is_file():
        missing = ", ".join(part for part in PARTS if not (place / part).is_dir())
        raise UsageError(
            f"{role} {place} lacks {missing}; save the whole pipeline, or give its unet"
        )
    # A training's checkpoint holds its U-Net in a folder of its own.
    unet = place / "unet" if (place / "unet").is_dir() else place
    _check_unet(unet, role)
    return _folder(unet, "unet", _hashed(named_digests(unet)), label=place.name)


def pipeline_variant(place: Path, asked: str | None = None) -> str | None:
    """Which of a pipeline's weights are read: plain ones, or the only, or the asked ones."""
    return variant_there(listed(place), asked)


def located(name: str, role: str = "target", variant: str | None = None) -> Path:
    """Where the model of this path, or of this name on the hub, lies on this machine."""
    if found := hub_name(name):
        return snapshot(found, partial(_wanted, variant, role), role)
    place = expanded(name)
    if not place.exists():
        raise OfflineError(f"no {role} at {place}; give {FORMS}")
    return place.resolve()


def _wanted(variant: str | None, role: str, names: Iterable[str]) -> list[str]:
    """Of a repository's files those of a whole pipeline, or of a part with what says what it is."""
    names = sorted(names)
    if INDEX in names:
        return [INDEX, *read_files(names, variant_there(names, variant), "of that name", role)]
    return [name for name in names if name.endswith((".json", ".safetensors"))]


def needs_base(model: Adopted) -> str | None:
    """Why it cannot be used without a base; None where it can."""
    if model.form == "pipeline":
        return None
    named = adapters.named_base(Path(model.path)) if model.form == "peft" else None
    what = {"unet": "a U-Net alone", "weights": "a U-Net alone"}.get(model.form, "a LoRA adapter")
    trained = f" (it says it was trained on {named})" if named else ""
    return f"{model.path} is {what}: name what it was trained from by --base{trained}"


def weights_of(model: Adopted, base: Base) -> dict[str, dict[str, Tensor]]:
    """By part (`unet`, `text_encoder`) the weights that make the base this model, float32.

    The text encoder is among them only where it is another than the base's. The base's own parts
    are changed on the way. UsageError where files and base do not go together.
    """
    path = Path(model.path)
    if model.form != "pipeline":  # of one `load_base` asks
        check_floats([path] if path.is_file() else sorted(path.rglob("*.safetensors")))
    if model.form == "peft":
        return adapters.merged_peft(path, base)
    if model.form == "lora":
        return adapters.merged_lora(path, base)
    if model.form == "weights":
        return {"unet": _fitting(base.unet, _read(path), path)}
    if model.form == "unet":
        return {"unet": _fitting(base.unet, _unet(path, base.variant).state_dict(), path)}
    if path == base.folder and pipeline_variant(path, base.variant) == base.variant:
        return {"unet": base.unet.state_dict()}
    return _of_pipeline(path, base)


def put(weights: Path, model: Any) -> None:
    """Weights that an adoption stored, into the model they were made for."""
    model.load_state_dict(_read(weights))


def _of_pipeline(path: Path, base: Base) -> dict[str, dict[str, Tensor]]:
    """U-Net, and the text encoder where it is not the base's; the frame must be the base's own."""
    own = load_base(path, variant=pipeline_variant(path, base.variant), role="model")
    check_frame(own, base)
    found = {"unet": _fitting(base.unet, own.unet.state_dict(), path)}
    words = _fitting(base.text_encoder, own.text_encoder.state_dict(), path)
    if not rounded(words, base.text_encoder.state_dict()):
        found["text_encoder"] = words
    return found


def _fitting(model: Any, weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The weights in the model's own precision, if names and shapes are the model's."""
    wanted = model.state_dict()
    for what, names in (
        ("lacks", wanted.keys() - weights.keys()),
        ("has a weight unknown to the base,", weights.keys() - wanted.keys()),
    ):
        if names:
            raise UsageError(
                f"{path} does not fit the base: it {what} {min(names)} ({len(names)} in all); "
                "name the base that it was trained from"
            )
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            raise UsageError(
                f"{path} does not fit the base: {name} is {tuple(value.shape)}, not "
                f"{tuple(wanted[name].shape)}; name the base that it was trained from"
            )
    return {name: value.to(wanted[name]) for name, value in weights.items()}


def _unet(folder: Path, variant: str | None) -> Any:
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors import SafetensorError

    names = [f"unet/{path.name}" for path in folder.iterdir()]
    try:
        return UNet2DConditionModel.from_pretrained(
            folder, torch_dtype=torch.float32, use_safetensors=True, low_cpu_mem_usage=False,
            variant=variant_there(names, variant),
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"U-Net {folder} cannot be loaded: {said}") from None


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path} is no safetensors file: {str(error)[:200]}") from None
    return found


def _file_form(path: Path, role: str) -> Any:
    """`weights` or `lora`, from the names inside."""
    if path.suffix != ".safetensors":
        raise UsageError(
            f"{role} {path} is no .safetensors file; pickled weights are never opened: save it "
            "with safe_serialization=True"
        )
    names = adapters.tensor_names(path)
    if any(name.startswith(SINGLE_FILE) for name in names):
        raise UsageError(
            f"{role} {path} is an original single-file checkpoint; convert it first: "
            "StableDiffusionPipeline.from_single_file(FILE).save_pretrained(FOLDER)"
        )
    return "lora" if any("lora" in name for name in names) else "weights"


def _check_unet(folder: Path, role: str) -> None:
    """One line unless this is a U-Net's folder with safetensors in it."""
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{role} {folder} is no model that is known here; give {FORMS}") from None
    if kind != "UNet2DConditionModel":
        raise UsageError(f"{role} {folder} is a {kind}, not a UNet2DConditionModel; give {FORMS}")
    if not any(folder.glob("diffusion_pytorch_model*.safetensors")):
        raise UsageError(
            f"{role} {folder} has no safetensors weights; save it with safe_serialization=True"
        )


def _folder(place: Path, form: Any, identity: str, label: str | None = None) -> Adopted:
    return Adopted(path=str(place), label=label or place.name, form=form, identity=identity)


def _hashed(lines: Any) -> str:
    return hashlib.sha256("".join(lines).encode()).hexdigest()
