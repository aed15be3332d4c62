"""CLIPScore (Hessel et al. 2021, arXiv 2104.08718): does a picture show what its caption says?

100 * max(cos, 0) of picture and caption under a CLIP: torchmetrics' scale, of which the paper's own
is 2.5 times as much of the cosine. The zero bounds each picture, as in the paper; torchmetrics
bounds the mean. A caption that is too long is cut before its end mark, as the model's own prompts
are; torchmetrics cuts the mark off, and with it the place that CLIP reads the caption at.

The CLIP should not be the one whose text tower the model listens to. The only one that is shipped,
`clip` of the embedded base, is: what that tower confuses, model and score confuse alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import OfflineError, UsageError
from bench.models.pretrained import has_words, load, named_digests, part, signed_pixels
from bench.utility.generated import Pictures

BATCH = 32
ROLE = "CLIP"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
"""Where transformers keeps what is done to a picture: until its version 5, and since."""
FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]


def own_clip(base: Path) -> Path | None:
    """The CLIP that comes with a base, as `mini-sd` has one; no part that a pipeline reads."""
    folder = base / "clip"
    return folder if (folder / "config.json").is_file() else None


def clip_identity(folder: Path) -> str:
    """sha256 of all that decides a score: the files of the CLIP and of its tokenizer.

    Asked before anything is computed, so what is plainly no CLIP is told here.
    """
    if not folder.is_dir():
        raise OfflineError(f"no CLIP folder at {folder}; leave --clip out to do without")
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"'{folder}' is no {ROLE}: no config.json with a model_type") from None
    if kind != "clip":
        raise UsageError(f"'{folder}' is no {ROLE}: a model of type {kind}, not clip")
    total = hashlib.sha256()
    for place in dict.fromkeys((folder, _words_of(folder))):
        for line in named_digests(place):
            total.update(f"{'clip' if place == folder else 'tokenizer'}/{line}".encode())
    return total.hexdigest()


def _words_of(folder: Path) -> Path:
    """Folder of the tokenizer: the CLIP's own, or the pipeline's that it is a part of."""
    if any((folder / name).is_file() for name in PROCESSORS):
        return folder
    beside = folder.parent / "tokenizer"
    if not beside.is_dir():
        raise UsageError(
            f"'{folder}' is no {ROLE} that can score: it lacks {PROCESSORS[0]}; save its "
            "CLIPProcessor beside the model"
        )
    return beside


@dataclass(frozen=True)
class Clip:
    """A CLIP with what it does to pictures and captions first; everything in float32."""

    model: Any
    processor: Any
    tokenizer: Any

    def pictures(
        self, pictures: Pictures, progress: Progress = lambda done, of: None
    ) -> FloatArray:
        """Unit vectors of uint8 pictures (n, h, w, 3), shape (n, d)."""
        from PIL import Image

        found = []
        for start in range(0, len(pictures), BATCH):
            batch = [Image.fromarray(one) for one in pictures[start : start + BATCH]]
            pixels = self.processor(images=batch, return_tensors="pt")["pixel_values"]
            found.append(self._asked("vision_model", "visual_projection", pixel_values=pixels))
            progress(start + len(batch), len(pictures))
        return np.concatenate(found)

    def captions(self, captions: Sequence[str]) -> FloatArray:
        """Unit vectors of captions, cut at the model's length, shape (n, d)."""
        longest = self.model.config.text_config.max_position_embeddings
        found = []
        for start in range(0, len(captions), BATCH):
            words = self.tokenizer(
                list(captions[start : start + BATCH]),
                padding=True,
                truncation=True,
                max_length=longest,
                return_tensors="pt",
            )
            asked = {name: words[name] for name in ("input_ids", "attention_mask")}
            found.append(self._asked("text_model", "text_projection", **asked))
        return np.concatenate(found)

    def _asked(self, tower: str, projection: str, **given: Any) -> FloatArray:
        import torch

        model = self.model
        given = {name: tensor.to(model.device) for name, tensor in given.items()}
        with torch.inference_mode():
            pooled = getattr(model, tower)(**given).pooler_output
            vectors = getattr(model, projection)(pooled).double().cpu().numpy()
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def listens_as(self, text_encoder: Any) -> bool:
        """Whether the text tower is this text encoder, compared in half precision."""
        ours, theirs = _halves(self.model.text_model), _halves(text_encoder)
        return ours.keys() == theirs.keys() and all(
            ours[name].shape == theirs[name].shape and bool((ours[name] == theirs[name]).all())
            for name in ours
        )


def _halves(network: Any) -> dict[str, Any]:
    """Weights by name; some versions of transformers nest a text tower one level deeper."""
    return {
        name.removeprefix("text_model."): tensor.half().cpu()
        for name, tensor in network.named_parameters()
    }


def load_clip(folder: Path) -> Clip:
    """The CLIP of a folder that transformers saved, or the one inside a pipeline's folder.

    The second kind brings no processor: its pictures are the pipeline's, values between -1 and 1.
    """
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    model = load(CLIPModel, str(folder), {"clip"}, ROLE)
    words = _words_of(folder)
    side = model.config.vision_config.image_size
    if words == folder:
        processor = part(CLIPImageProcessorPil, str(folder), ROLE)
        size = processor.crop_size if processor.do_center_crop else processor.size
        if (size.get("height"), size.get("width")) != (side, side):
            raise UsageError(
                f"'{folder}' is no {ROLE} that can score: its processor makes pictures of another "
                f"size than the {side} x {side} that its model reads"
            )
    else:
        processor = signed_pixels(side)
    tokenizer = part(CLIPTokenizer, str(words), ROLE)
    if not has_words(tokenizer) or len(tokenizer) > model.config.text_config.vocab_size:
        raise UsageError(f"'{words}' has not the words of the {ROLE} in {folder}")
    return Clip(model, processor, tokenizer)


def clip_scores(pictures: FloatArray, captions: FloatArray) -> FloatArray:
    """One score a picture for its own caption, from unit vectors, shape (n,)."""
    return np.asarray(100 * np.maximum(np.einsum("nd,nd->n", pictures, captions), 0.0))


def clip_gains(pictures: FloatArray, captions: FloatArray) -> FloatArray:
    """How far each picture's score is above its mean score for all other captions, shape (n,).

    A CLIP that cannot read the captions, or see the pictures, gives 0; so does a model that draws
    whatever it is told.
    """
    scores = 100 * np.maximum(pictures @ captions.T, 0.0)
    own, n = np.diag(scores), len(scores)
    return np.asarray(own - (scores.sum(axis=1) - own) / (n - 1))
