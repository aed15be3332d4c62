"""Models, processors and tokenizers that somebody else saved: loaded whole, or one line why not.

`role` is what the files were given as ("captioner", "CLIP"), for the messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.digests import known_digest
from bench.errors import OfflineError, UsageError

READ = {".json", ".txt", ".safetensors", ".model"}
"""Endings of the files that can change what a model answers; a README is none of them."""


def named_digests(folder: Path) -> Iterator[str]:
    """`name:sha256` of every file of the folder that is read, sorted."""
    for path in sorted(p for p in folder.iterdir() if p.suffix in READ and p.is_file()):
        yield f"{path.name}:{known_digest(path)}\n"


def load(kind: Any, name: str, types: set[str], role: str) -> Any:
    """A whole model of one of these types, in float32, or one line that says why not.

    transformers would fill in at random what a folder lacks, and make one model from another's
    configuration; here both are errors.
    """
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    config = part(transformers.AutoConfig, name, role)
    if config.model_type not in types:
        raise UsageError(
            f"'{name}' is no {role}: a model of type {config.model_type}, not {min(types)}"
        )
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    model, info = part(kind, name, role, **options)
    if info["missing_keys"]:
        raise UsageError(
            f"'{name}' is no {role}: it lacks {len(info['missing_keys'])} weights, "
            f"{min(info['missing_keys'])} among them"
        )
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def part(kind: Any, name: str, role: str, **options: Any) -> Any:
    """Model, configuration, processor or tokenizer; never runs code that comes with a model."""
    from safetensors import SafetensorError

    given = {"trust_remote_code": False, "local_files_only": True} | options
    try:
        return kind.from_pretrained(name, **given)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        lines = (str(error).strip() or type(error).__name__).splitlines()
        raise OfflineError(
            f"cannot load the {role} '{name}': {lines[0][:200]}; give a "
            "folder that transformers saved, tokenizer and preprocessor included"
        ) from None


def signed_pixels(side: int) -> Any:
    """What the mini CLIP learnt from: pixels between -1 and 1, at its own size."""
    from transformers import CLIPImageProcessorPil

    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return CLIPImageProcessorPil(size={"height": side, "width": side}, do_center_crop=False, **half)


def has_words(tokenizer: Any) -> bool:
    """False for the empty one that transformers makes up where a folder has none."""
    return len(tokenizer) > len(tokenizer.all_special_tokens)
