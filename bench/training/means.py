"""How a training is computed, as opposed to what it computes: nothing of this is in any key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.training.peers import Peers

CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True)
class Means:
    """Where things are kept beside the result, who takes part, and who watches."""

    peers: Peers = field(default_factory=Peers)
    cache: Path | None = None
    """Folder of latents and text states that trainings share; None: each encodes its own."""
    trackers: tuple[str, ...] = ()
    """Of accelerate, e.g. `tensorboard`."""
    tracks: Path | None = None
    """Folder that they write to."""
    checkpoint_seconds: float = field(default_factory=lambda: CHECKPOINT_SECONDS)
    """Between two checkpoints; as many times longer as one takes seconds to write."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Means:
        """From what a worker is told, for the process it is asked in."""
        here: dict[str, Any] = {
            name: Path(given[name]) for name in ("cache", "tracks") if given.get(name)
        }
        if "checkpoint_seconds" in given:
            here["checkpoint_seconds"] = float(given["checkpoint_seconds"])
        return cls(peers=Peers.here(), trackers=tuple(given.get("trackers", ())), **here)
