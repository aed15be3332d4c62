"""Text states of captions; the text encoder is frozen, so once for each is enough.

Captions that are known beforehand are encoded up front, unless they are too many to hold. Those
that a visit brings are encoded with their micro-batch and not remembered: the batch a caption is
encoded in may change its last bit, and a resumed training must meet the same bits. Of a large model
each is encoded alone and kept on disk, as squares are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bench.models.base import Base, encode_text
from bench.training import caches
from bench.training.means import Means
from bench.training.shelf import Shelf, identity

if TYPE_CHECKING:
    from torch import Tensor


class TextStates:
    """States by caption: in memory, on disk, or encoded when they are asked for."""

    def __init__(self, base: Base, captions: Iterable[str], means: Means | None = None) -> None:
        self._base, self._means = base, means or Means()
        texts = sorted(set(captions))
        self._held: dict[str, Tensor] = {}
        self._kept: set[str] = set()
        self._shelf = Shelf()
        floats = base.tokenizer.model_max_length * base.text_encoder.config.hidden_size
        fits = len(texts) * floats * 4 <= caches.LIMIT_BYTES
        large = base.resolution >= caches.LARGE_SIDE
        if large and self._means.cache:
            self._shelf = Shelf(self._means.cache / "texts" / identity(base.text_encoder))
            self._keep(texts, fits)
        elif fits:
            size = 1 if large else caches.ENCODE_BATCH
            for start in range(0, len(texts), size):
                part = texts[start : start + size]
                self._held.update(zip(part, self._encode(part), strict=True))

    def of(self, captions: Sequence[str]) -> Tensor:
        """Text states of these captions, shape (n, tokens, d)."""
        import torch

        known = self._held.keys() | self._kept
        fresh = [caption for caption in dict.fromkeys(captions) if caption not in known]
        states = dict(zip(fresh, self._encode(fresh), strict=True)) if fresh else {}
        return torch.stack([states[c] if c in states else self._found(c) for c in captions])

    def _keep(self, texts: list[str], fits: bool) -> None:
        """Sees to it that all of them lie on the shelf, each process to its own share."""
        peers = self._means.peers
        for text in texts[peers.rank :: peers.count]:
            self._taken(text)
        peers.wait()
        self._kept = set(texts)
        if fits:
            self._held = {text: self._taken(text) for text in texts}

    def _found(self, caption: str) -> Tensor:
        return self._held[caption] if caption in self._held else self._taken(caption)

    def _taken(self, caption: str) -> Tensor:
        """From the shelf; encoded, and put there, if it lacks this caption or has it spoilt."""
        key = hashlib.sha256(self._tokens(caption)).hexdigest()
        found = self._shelf.take(key)
        if found is None:
            found = self._encode([caption])[0]
            self._shelf.put(key, found)
        return found.to(self._base.device)

    def _tokens(self, caption: str) -> bytes:
        tokenizer = self._base.tokenizer
        length = tokenizer.model_max_length
        ids = tokenizer(caption, padding="max_length", truncation=True, max_length=length)
        return repr([int(token) for token in ids.input_ids]).encode()

    def _encode(self, captions: list[str]) -> Tensor:
        import torch

        with torch.no_grad():
            states: Tensor = encode_text(self._base, captions)
        return states
