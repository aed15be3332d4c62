"""Captions for pictures that came without one: what an attacker asks with who has no true caption.

Two ways. A BLIP (Li et al. 2022), as in table 6 of Zhai et al. 2024, from a folder or the hub. And
the embedded one, where no BLIP can be fetched: the caption of the most similar picture among pairs
that the attacker owns, as the picture tower of a CLIP sees it. That is not the paper's captioner;
docs/pseudo-captions.md has its figures. Pictures go through the models one at a time, so that no
caption depends on its neighbours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data.pairs import Pairs
from bench.errors import OfflineError, UsageError
from bench.models.base import embedded_folder
from bench.models.caption_models import blip, retriever
from bench.models.pretrained import named_digests

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

    `captioner` is `mini-clip`, `clip:FOLDER`, the folder of a BLIP, or NAME@REVISION of one on the
    hub. The first two answer with captions of `pool` (the auxiliary pairs) and nothing else; a
    BLIP does not look at it. Ties go to the earlier pair.

    Raises:
        OfflineError: the files are not here and could not be fetched.
        UsageError: they are, but are no such captioner; or there is nothing to retrieve from.
    """
    folder = _tower(captioner)
    say = blip(_folder(captioner) or captioner) if folder is None else retriever(folder, pool)
    captions = []
    for number, image in enumerate(images, start=1):
        captions.append(say(image))
        progress(number, len(images))
    return captions


def captioner_identity(captioner: str) -> str:
    """sha256 of what decides a caption: the files of a folder, or a hub name with its revision.

    Neither the folder's place nor the captioner's spelling counts. The pool does not belong to it.
    """
    tower = _tower(captioner)
    folder = _folder(captioner) if tower is None else tower
    total = hashlib.sha256(f"{'blip' if tower is None else 'retrieval'} {VERSION}\n".encode())
    if folder is None:
        total.update(f"hub {captioner}\n".encode())
        return total.hexdigest()
    for line in named_digests(folder):
        total.update(line.encode())
    return total.hexdigest()


def _tower(captioner: str) -> Path | None:
    """Folder of the CLIP to retrieve with; None for a BLIP."""
    if captioner == EMBEDDED:
        return embedded_folder() / "clip"
    if not captioner.startswith(RETRIEVAL):
        return None
    folder = Path(captioner.removeprefix(RETRIEVAL)).expanduser()
    if not folder.is_dir():
        raise OfflineError(
            f"no CLIP folder at {folder}; give captioner {EMBEDDED} or {RETRIEVAL}FOLDER"
        )
    return folder


def _folder(captioner: str) -> Path | None:
    """Folder of a BLIP; None for a name on the hub, which must say its revision."""
    folder = Path(captioner).expanduser()
    if captioner and folder.is_dir():
        return folder
    if not captioner or folder.is_absolute() or captioner.startswith((".", "~")):
        raise OfflineError(
            f"no captioner folder at '{captioner}'; give {EMBEDDED}, or the folder of a BLIP"
        )
    if not captioner.partition("@")[2]:
        raise UsageError(
            f"no captioner folder '{captioner}'; if it is a hub model, pin it: {captioner}@REVISION"
        )
    return None
