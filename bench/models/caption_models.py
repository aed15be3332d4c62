"""The models behind captioner.py: a CLIP that retrieves captions, and a BLIP that writes them.

Each is handed over as a function from a picture to its caption.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.pairs import Pairs
from bench.errors import OfflineError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

BEAMS, SHORTEST, LONGEST = 3, 5, 20
"""Beams, and fewest and most new tokens: those of configs/caption_coco.yaml of BLIP's authors."""


def retriever(folder: Path, pool: Pairs) -> Callable[[Image], str]:
    """Caption of the pair whose picture has the largest cosine to the asked one.

    Compared are the states of all patches after the tower's last layer, joined: where things are
    counts. On held-back tiles the pooled vector found worse captions, and the text tower, asked
    which caption fits a picture, no better ones than chance (docs/pseudo-captions.md).
    """
    import numpy as np
    import torch
    from transformers import CLIPImageProcessorPil, CLIPVisionModel

    if not len(pool):
        raise UsageError("no auxiliary pairs to retrieve captions from")
    model = _load(CLIPVisionModel, str(folder), {"clip", "clip_vision_model"})
    if (folder / "preprocessor_config.json").is_file():
        processor = _part(CLIPImageProcessorPil, str(folder))
    else:
        # The mini CLIP learnt from pixels between -1 and 1, at its own size.
        side = {"height": model.config.image_size, "width": model.config.image_size}
        half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        processor = CLIPImageProcessorPil(size=side, do_center_crop=False, **half)

    def look(image: Image) -> Any:
        pixels = processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            states = model(pixel_values=pixels.to(model.device)).last_hidden_state
        vector = states[0, 1:].flatten().double().cpu().numpy()
        return vector / np.linalg.norm(vector)

    known = np.stack([look(pool.image(id_)) for id_ in pool.ids])

    def say(image: Image) -> str:
        # Rounded: equal pictures must tie although their sums may end in other bits.
        return pool.captions[int((known @ look(image)).round(9).argmax())]

    return say


def blip(captioner: Path | str) -> Callable[[Image], str]:
    """The picture alone, no prompt; beam search with nothing drawn at random."""
    import torch
    from transformers import AutoTokenizer, BlipForConditionalGeneration, BlipImageProcessorPil

    name = str(captioner)
    model = _load(BlipForConditionalGeneration, name, {"blip"})
    # Pillow's resizing also where torchvision is installed: same pictures, same captions.
    processor = _part(BlipImageProcessorPil, name)
    tokenizer = _part(AutoTokenizer, name)
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        # transformers makes an empty one up where the folder has none.
        raise UsageError(f"'{name}' is no captioner: it lacks the words of its tokenizer")
    limits = {"num_beams": BEAMS, "min_new_tokens": SHORTEST, "max_new_tokens": LONGEST}

    def say(image: Image) -> str:
        pixels = processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            out = model.generate(pixel_values=pixels.to(model.device), do_sample=False, **limits)
        return " ".join(tokenizer.decode(out[0, 1:], skip_special_tokens=True).split())

    return say


def _load(kind: Any, name: str, types: set[str]) -> Any:
    """A whole model of one of these types, in float32, or one line that says why not.

    transformers would fill in at random what a folder lacks, and make one model from another's
    configuration; here both are errors.
    """
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    config = _part(transformers.AutoConfig, name)
    if config.model_type not in types:
        raise UsageError(
            f"'{name}' is no captioner: a model of type {config.model_type}, not {min(types)}"
        )
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    model, info = _part(kind, name, **options)
    if info["missing_keys"]:
        raise UsageError(
            f"'{name}' is no captioner: it lacks {len(info['missing_keys'])} weights, "
            f"{min(info['missing_keys'])} among them"
        )
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _part(kind: Any, name: str, **options: Any) -> Any:
    """Model, configuration, processor or tokenizer; never runs code that comes with a model."""
    from safetensors import SafetensorError

    place, revision = (name, "") if Path(name).is_dir() else name.split("@", 1)
    given = {"revision": revision or None, "trust_remote_code": False} | options
    try:
        return kind.from_pretrained(place, **given)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        lines = (str(error).strip() or type(error).__name__).splitlines()
        raise OfflineError(
            f"cannot load the captioner '{name}': {lines[0][:200]}; give a "
            "folder that transformers saved, tokenizer and preprocessor included"
        ) from None
