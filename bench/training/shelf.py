"""Encodings on disk: what one training encoded, the next one reads.

An entry is named by the hash of what was encoded (the square's own pixels after crop and flip, or
the caption's tokens) and lies in a folder named by what encoded it: the model's configuration and
weights, the device, the version of torch. So no entry is read for another crop, flip, resampling,
model or precision. What is read is held against the digest it was written with; anything else is
as good as not there, and encoded again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.files import write_atomic

if TYPE_CHECKING:
    from torch import Tensor


def identity(model: Any) -> str:
    """sha256 of a model's configuration and weights, of where it runs, and of torch."""
    import torch

    config = model.config
    plain = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    said = {k: v for k, v in plain.items() if not k.startswith("_") and "version" not in k}
    weights = model.state_dict()
    where = sorted({str(value.device.type) for value in weights.values()})
    about = json.dumps([said, where, torch.__version__], sort_keys=True, default=str)
    total = hashlib.sha256(about.encode())
    for name, value in sorted(weights.items()):
        total.update(f"{name}:{value.dtype}:{tuple(value.shape)}".encode())
        total.update(raw_bytes(value))
    return total.hexdigest()


class Shelf:
    """Tensors by key, below one folder; nothing is kept while there is none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def take(self, key: str) -> Tensor | None:
        """The tensor, on the CPU; None if there is none, or one that is not what was put."""
        from safetensors import SafetensorError, safe_open

        if self._folder is None:
            return None
        try:
            with safe_open(_place(self._folder, key), framework="pt") as stored:
                tensor: Tensor = stored.get_tensor("states")
                written = (stored.metadata() or {}).get("sha256")
        except (OSError, SafetensorError):
            return None
        return tensor if hashlib.sha256(raw_bytes(tensor)).hexdigest() == written else None

    def put(self, key: str, tensor: Tensor) -> None:
        """Writes the tensor, whole or not at all."""
        from safetensors.torch import save

        if self._folder is None:
            return
        plain = tensor.detach().cpu().contiguous()
        digest = hashlib.sha256(raw_bytes(plain)).hexdigest()
        place = _place(self._folder, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, save({"states": plain}, metadata={"sha256": digest}))


def _place(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.safetensors"


def raw_bytes(tensor: Tensor) -> bytes:
    """What a tensor is made of, for a digest."""
    import torch

    raw: bytes = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    return raw
