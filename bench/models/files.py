"""Which files of a base are read: five parts, of three of them one kind of weights.

A folder from the hub has the same weights several times: plain, in variants such as `fp16` or
`non_ema`, pickled, for other libraries. Read are safetensors of the variant that is asked for; a
part that lacks it has its plain ones read, as diffusers does, but the U-Net must have it. The rule
is on names, so that it is the same for a folder and for a listing of the hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from bench.errors import UsageError

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
WEIGHTS = {
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}
"""How the parts' weights are called."""
SAFE = re.compile(
    r"(?P<name>\w+)(?:\.(?P<single>\w+))?(?:-\d{5}-of-\d{5})?(?:\.(?P<old>\w+))?\.safetensors"
    r"(?:\.index(?:\.(?P<index>\w+))?\.json)?"
)
"""Weights, one shard of them, or their index; a variant's name stands in one of three places."""
UNSAFE = tuple(".bin .bin.index.json .ckpt .h5 .msgpack .onnx .onnx_data .pb .pt .pth".split())
"""Weights that are never read: pickled ones could run code, others are for other libraries."""


def read_files(
    names: Iterable[str], variant: str | None, base: str, role: str = "base"
) -> list[str]:
    """Those of a base's files that a run reads, part by part; `base` is its name in messages.

    `role` is what it was given as: the base, or another model of the same five parts.

    Raises:
        UsageError: a part has no weights that can be read.
    """
    given = sorted(map(PurePosixPath, names))
    found: list[str] = []
    for part in PARTS:
        own = [path for path in given if path.parts[0] == part and len(path.parts) > 1]
        kind = part_variant([path.name for path in own], part, variant, base, role)
        found += [path.as_posix() for path in own if is_read(path.name, part, kind)]
    return found


def part_variant(
    names: Sequence[str], part: str, variant: str | None, base: str, role: str = "base"
) -> str | None:
    """The variant of the weights that are read of a part: the asked one, or None for plain."""
    if part not in WEIGHTS:
        return None
    there = {kind for name in names if (kind := _variant(name, part)) is not None}
    if variant in there or (part != "unet" and variant and "" in there):
        return variant if variant in there else None
    if not variant and "" in there:
        return None
    raise UsageError(f"{role} {base} {_lack(names, part, variant, there)}")


def variant_there(names: Iterable[str], asked: str | None = None) -> str | None:
    """In which variant a model is read that nobody chose one for: plain, or the only one there is.

    The asked one where there are several and no plain weights.
    """
    given = [PurePosixPath(name) for name in names]
    kinds = [
        {_variant(path.name, part) for path in given if path.parts[0] == part} - {None}
        for part in WEIGHTS
    ]
    there = set[str | None]().union(*kinds) - {""}
    if not there or all("" in kind or not kind for kind in kinds):
        return None
    return there.pop() if len(there) == 1 else asked


def listed(folder: Path) -> list[str]:
    """Names of the files in the parts of a folder, with `/` between."""
    return [
        path.relative_to(folder).as_posix()
        for part in PARTS
        for path in (folder / part).rglob("*")
        if path.is_file()
    ]


def is_read(name: str, part: str, variant: str | None) -> bool:
    """Whether a file of a part is read where the part's weights are of this variant."""
    if name.endswith(UNSAFE):
        return False
    if ".safetensors" not in name:
        return True
    return part in WEIGHTS and _variant(name, part) == (variant or "")


def _variant(name: str, part: str) -> str | None:
    """The variant of a file of the part's weights, empty for plain ones; None: it is none."""
    found = SAFE.fullmatch(name)
    if found is None or found["name"] != WEIGHTS[part]:
        return None
    return found["single"] or found["old"] or found["index"] or ""


def _lack(names: Sequence[str], part: str, variant: str | None, there: set[str]) -> str:
    """What is wrong with the weights of a part, and what to do."""
    others = sorted(there - {""})
    if variant:
        have = ", ".join(["plain ones"] * ("" in there) + others)
        tail = f"it has {have}; name one of those" if have else "nor any other safetensors"
        return f"has no weights of variant {variant} in {part}; {tail}"
    if others:
        return f"has no plain weights in {part}; give --variant {' or '.join(others)}"
    if any(name.endswith((".bin", ".ckpt", ".pt")) for name in names):
        return (
            f"has only pickled weights in {part}, which could run code when they are read; load "
            "it with diffusers where you trust it and save it again (save_pretrained writes "
            "safetensors)"
        )
    return f"has no weights in {part}: no {WEIGHTS[part]}.safetensors; copy or fetch the base again"
