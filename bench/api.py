"""What a plugin author imports: `Attack`, `Defense`, and the types they are handed.

The smallest attack overrides `features`; the smallest defense overrides `prepare`. Parameters are
the typed fields of the dataclass, so `my_attack[t=300]` works without another line. Nothing heavy
is imported here; import torch inside the methods that need it, so that listing stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pair, Pairs
from bench.rng import generator

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Attack", "Context", "Defense", "FloatArray", "Pair", "Pairs", "Target"]

FloatArray = NDArray[np.float64]
Access = Literal["black", "grey", "white"]


class Target(Protocol):
    """The model under attack as the attacker sees it; counts every U-Net row it is asked for."""

    queries: int
    """U-Net rows evaluated so far."""

    def losses(
        self, pairs: Pairs, timesteps: Sequence[int], captions: Sequence[str] | None = None
    ) -> FloatArray:
        """Denoising loss of every pair at every timestep, shape (n, len(timesteps)).

        Mean over latent elements of (eps_theta(z_t, t, c) - eps)^2, Eq. 15 of Zhai et al. 2024.
        Latent and noise depend on (seed, pair, t) only: another caption meets the same noise.
        `captions` replaces the pairs' own, one per pair; `""` is the empty condition.
        """
        ...

    def latents(self, pairs: Pairs) -> Tensor:
        """Scaled posterior means of the VAE, shape (n, c, h, w)."""
        ...

    def text(self, captions: Sequence[str]) -> Tensor:
        """Last hidden states of the text encoder, shape (n, tokens, d)."""
        ...

    def noise(self, pairs: Pairs, timestep: int) -> Tensor:
        """The pairs' own noise at this timestep, shaped like `latents`."""
        ...

    def predict(self, noisy: Tensor, timestep: int, text: Tensor) -> Tensor:
        """The predicted noise eps_theta(z_t, t, c), whatever the model's prediction type."""
        ...


@dataclass
class Attack:
    """Gives each pair a score; higher = more likely a member.

    Two phases: `features` is the only part that touches a model; `fit` and `score` see numbers,
    and `fit` sees those of the shadow only. Labels of the target are out of reach by construction.
    """

    name: ClassVar[str]
    access: ClassVar[Access] = "grey"
    needs: ClassVar[frozenset[str]] = frozenset({"caption"})
    """What the attacker must have beside the picture: `caption`, `shadow`, `base`, `gradients`."""
    paper: ClassVar[str] = ""

    @property
    def queries(self) -> int | None:
        """U-Net rows a pair, checked against the count; None leaves it to the count."""
        return None

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        """What the model says of each pair, shape (n, F), float64."""
        raise NotImplementedError(f"{type(self).__name__} must override features")

    def fit(self, features: FloatArray, is_member: NDArray[np.bool_]) -> Self:
        """Learn from the shadow's features whatever the attack learns; nothing by default."""
        return self

    def score(self, features: FloatArray) -> FloatArray:
        """One score a pair, shape (n,); by default the first feature."""
        return np.asarray(features[:, 0], dtype=np.float64)


@dataclass
class Context:
    """What a defense may know beside the members: its seed, the auxiliary pairs, a notebook."""

    seed: int
    auxiliary: Pairs
    notes: dict[str, Any] = field(default_factory=dict)
    """The realised strength; ends in the manifest of the trained model."""

    def rng(self, *keys: str | int) -> np.random.Generator:
        """A generator for (run seed, keys); key it by pair id and results depend on no order."""
        return generator(self.seed, "defense", *keys)


@dataclass
class Defense:
    """Changes what training sees. Never sees a hold-out."""

    name: ClassVar[str]
    paper: ClassVar[str] = ""

    @property
    def title(self) -> str:
        """Its name in rows and on boards; another where a parameter makes it another method."""
        return self.name

    def reads(self) -> Sequence[Path]:
        """Files and folders beside its own source that its result depends on; part of the key."""
        return ()

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        """The pairs to train on, made once before training from the members."""
        return pairs
