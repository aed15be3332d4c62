"""What a training goes on from: one safetensors file, replaced whole, read only if it is sound."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.training.shelf import raw_bytes

if TYPE_CHECKING:
    from torch import Tensor

NAME = "checkpoint.safetensors"
PARTIAL = ".checkpoint."


def write(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Replaces the checkpoint in this folder."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(facts)
    # A name of its own: one that was frozen here may go on writing when another has taken over.
    beside = folder / f"{PARTIAL}{secrets.token_hex(8)}"
    digest = _digest(told, sorted(tensors), tensors.__getitem__)
    save_file(dict(tensors), beside, metadata={"facts": told, "sha256": digest})
    beside.replace(folder / NAME)


def read(
    folder: Path, device: str, stack: ExitStack
) -> tuple[list[str], Callable[[str], Tensor], dict[str, Any]] | None:
    """Names, a function that reads one tensor, and the facts; None if there is no sound one.

    One that was cut short when the machine went down, or altered since, is removed.
    """
    from safetensors import SafetensorError, safe_open

    for left in folder.glob(f"{PARTIAL}*"):
        left.unlink(missing_ok=True)
    path = folder / NAME
    if not path.exists():
        return None
    try:
        stored: Any = stack.enter_context(safe_open(path, framework="pt", device=device))
        about, names = stored.metadata() or {}, sorted(stored.keys())
        if about["sha256"] != _digest(about["facts"], names, stored.get_tensor):
            raise ValueError(path)
        return names, stored.get_tensor, json.loads(about["facts"])
    except (SafetensorError, KeyError, ValueError):
        path.unlink()
        return None


def _digest(told: str, names: Iterable[str], tensor: Callable[[str], Tensor]) -> str:
    total = hashlib.sha256(told.encode())
    for name in names:
        total.update(name.encode())
        total.update(raw_bytes(tensor(name)))
    return total.hexdigest()
