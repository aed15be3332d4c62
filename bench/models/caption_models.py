"""The models behind captioner.py: a CLIP that retrieves captions, and a BLIP that writes them.

Each is handed over as a function from a picture to its caption.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.pairs import Pairs
from bench.errors import UsageError
from bench.models.pretrained import has_words, load, part, signed_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

ROLE = "captioner"
DECODING = {"num_beams": 3, "min_new_tokens": 5, "max_new_tokens": 20, "do_sample": False}
"""How a BLIP writes: as in configs/caption_coco.yaml of its authors. Part of its identity."""


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
    model = load(CLIPVisionModel, str(folder), {"clip", "clip_vision_model"}, ROLE)
    if (folder / "preprocessor_config.json").is_file():
        processor = part(CLIPImageProcessorPil, str(folder), ROLE)
    else:
        processor = signed_pixels(model.config.image_size)

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


def blip(folder: Path) -> Callable[[Image], str]:
    """The picture alone, no prompt; beam search with nothing drawn at random."""
    import torch
    from transformers import AutoTokenizer, BlipForConditionalGeneration, BlipImageProcessorPil

    name = str(folder)
    model = load(BlipForConditionalGeneration, name, {"blip"}, ROLE)
    # Pillow's resizing also where torchvision is installed: same pictures, same captions.
    processor = part(BlipImageProcessorPil, name, ROLE)
    tokenizer = part(AutoTokenizer, name, ROLE)
    if not has_words(tokenizer):
        raise UsageError(f"'{name}' is no captioner: it lacks the words of its tokenizer")

    def say(image: Image) -> str:
        pixels = processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            out = model.generate(pixel_values=pixels.to(model.device), **DECODING)
        return " ".join(tokenizer.decode(out[0, 1:], skip_special_tokens=True).split())

    return say
