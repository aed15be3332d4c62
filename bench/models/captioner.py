"""Captions for pictures that came without one: what an attacker asks with who has no true caption.

Two ways. A BLIP (Li et al. 2022), as in table 6 of Zhai et al. 2024, from a folder or the hub. And
the embedded one, where no BLIP can be fetched: the caption of the most similar picture among pairs
that the attacker owns, as the picture tower of a CLIP sees it. That is not the paper's captioner;
docs/pseudo-captions.md has its figures. Pictures go through the models one at a time, so that no
caption depends on its neighbours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.pairs import Pairs
from bench.errors import OfflineError, UsageError
from bench.hub import hub_name, snapshot
from bench.models.base import embedded_folder
from bench.models.caption_models import DECODING, ROLE, blip, retriever
from bench.models.pretrained import READ, named_digests
from bench.paths import expanded

if TYPE_CHECKING:
    from PIL.Image import Image

EMBEDDED = "mini-clip"
"""The picture tower that comes with the embedded base."""
RETRIEVAL = "clip:"
"""Before the folder of another CLIP to retrieve with."""
VERSION = 1
"""Raised by hand when the same files and pictures would give other captions."""
Progress = Callable[[int, int], None]


def describe(
    images: Sequence[Image],
    captioner: str,
    pool: Pairs,
    progress: Progress = lambda done, of: None,
) -> list[str]:
    """One caption a picture, each a function of that picture, the captioner and the pool.

    `captioner` is `mini-clip`, `clip:FOLDER` or the folder of a BLIP. The first two answer with
    captions of `pool` (the auxiliary pairs) and nothing else; a BLIP does not look at it. Ties go
    to the earlier pair.

    Raises:
        OfflineError: the files are not here.
        UsageError: they are, but are no such captioner; or there is nothing to retrieve from.
    """
    folder = _tower(captioner)
    say = blip(_folder(captioner)) if folder is None else retriever(folder, pool)
    captions = []
    for number, image in enumerate(images, start=1):
        captions.append(say(image))
        progress(number, len(images))
    return captions


def captioner_folder(captioner: str, offline: bool = False) -> str:
    """The same captioner on this machine: NAME@REVISION on the hub becomes the folder of a BLIP.

    Raises:
        OfflineError: it is not here and may not or cannot be fetched.
        UsageError: the name says no revision, the repository holds no safetensors, or the folder
            no BLIP.
    """
    if _tower(captioner) is not None:
        return captioner
    name = hub_name(captioner)
    if name is not None and name.revision is None:
        raise UsageError(
            f"no captioner folder '{captioner}'; if it is a hub model, pin it: {captioner}@REVISION"
        )
    choose = partial(_read_files, captioner)
    folder = snapshot(name, choose, ROLE, offline) if name else _folder(captioner)
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"'{captioner}' is no {ROLE}: no config.json with a model_type") from None
    if kind != "blip":
        raise UsageError(f"'{captioner}' is no {ROLE}: a model of type {kind}, not blip")
    return str(folder)


def captioner_identity(captioner: str) -> str:
    """sha256 of what decides a caption: the files of a folder, and how a BLIP is made to write.

    Neither the folder's place nor the captioner's spelling counts. The pool does not belong to it.
    """
    tower = _tower(captioner)
    how = f"blip {VERSION} {DECODING}" if tower is None else f"retrieval {VERSION}"
    total = hashlib.sha256(f"{how}\n".encode())
    for line in named_digests(_folder(captioner) if tower is None else tower):
        total.update(line.encode())
    return total.hexdigest()


def _tower(captioner: str) -> Path | None:
    """Folder of the CLIP to retrieve with; None for a BLIP."""
    if captioner == EMBEDDED:
        return embedded_folder() / "clip"
    if not captioner.startswith(RETRIEVAL):
        return None
    folder = expanded(captioner.removeprefix(RETRIEVAL))
    if not folder.is_dir():
        raise OfflineError(
            f"no CLIP folder at {folder}; give captioner {EMBEDDED} or {RETRIEVAL}FOLDER"
        )
    return folder


def _folder(captioner: str) -> Path:
    """Folder of a BLIP."""
    folder = expanded(captioner)
    if not captioner or not folder.is_dir():
        raise OfflineError(
            f"no captioner folder at '{captioner}'; give {EMBEDDED}, the folder of a BLIP, or "
            "ORGANISATION/NAME@REVISION of one on the hub"
        )
    return folder


def _read_files(captioner: str, names: Iterable[str]) -> list[str]:
    """Of a repository's files those that a BLIP is loaded from."""
    found = [name for name in names if "/" not in name and Path(name).suffix in READ]
    if not any(name.endswith(".safetensors") for name in found):
        raise UsageError(f"captioner {captioner} has no safetensors; save it again as such")
    return found
