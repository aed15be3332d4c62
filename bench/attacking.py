"""What an attack is: what it may ask of a model, and its two phases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
Access = Literal["black", "grey", "white"]
Shadow = Literal["disjoint", "resplit"]


class Condition(NamedTuple):
    """A text that pairs are asked about with; by default their own."""

    captions: Sequence[str] | None = None
    """In place of the pairs' own, one per pair; `""` is the empty condition."""
    text_noise: float = 0.0
    """Gaussian noise added to the text states, in units of their standard deviation."""


class Target(Protocol):
    """The model under attack as the attacker sees it; counts what it is asked."""

    queries: int
    """U-Net rows asked for so far; the same question twice is one query."""

    def losses(
        self,
        pairs: Pairs,
        timesteps: Sequence[int],
        captions: Sequence[str] | None = None,
        *,
        crop: float = 1.0,
        text_noise: float = 0.0,
    ) -> FloatArray:
        """Denoising loss of every pair at every timestep, shape (n, len(timesteps)).

        Mean over latent elements of (eps_theta(z_t, t, c) - eps)^2, Eq. 15 of Zhai et al. 2024.
        The noise depends on (seed, pair, t) only: another caption or crop meets the same.
        `captions` replaces the pairs' own, one per pair; `""` is the empty condition. `crop` is
        the share of the picture's side that is cut from its middle and scaled back to full size.
        `text_noise` adds Gaussian noise to the text states, in units of their standard deviation.
        """
        ...

    def losses_under(
        self, pairs: Pairs, timesteps: Sequence[int], conditions: Sequence[Condition]
    ) -> list[FloatArray]:
        """`losses` under one condition after the other, the same bits in less time.

        What a forward computes before it looks at the text is computed once for all of them.
        """
        ...

    def predictions(self, pairs: Pairs, timesteps: Sequence[int]) -> Tensor:
        """eps_theta at the pairs' own noise and caption, shape (n, len(timesteps), c, h, w)."""
        ...

    def word_importance(self, pairs: Pairs, timestep: int) -> list[list[float]]:
        """Cross-attention that each blank-separated word of each caption draws.

        It comes with the evaluation of the pairs' own captions at this timestep, so that `losses`
        there is no further query.
        """
        ...

    def batches(self, pairs: Pairs) -> Iterator[Pairs]:
        """The pairs in parts that one forward takes, for attacks that call `predict`."""
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

    def alpha_bar(self, timestep: int) -> float:
        """The model's own schedule: z_t = sqrt(abar) z_0 + sqrt(1 - abar) eps."""
        ...

    def predict(self, noisy: Tensor, timestep: int, text: Tensor) -> Tensor:
        """The predicted noise eps_theta(z_t, t, c), whatever the model's prediction type."""
        ...


@dataclass
class Attack:
    """Gives each pair a score; higher = more likely a member.

    Two phases: `features` is the only part that touches a model; `fit` and `score` see numbers,
    and `fit` sees those of the shadow only. The target's labels are handed to neither.
    """

    name: ClassVar[str]
    access: ClassVar[Access] = "grey"
    needs: ClassVar[frozenset[str]] = frozenset({"caption"})
    """What the attacker must have beside the picture: `caption`, `shadow`, `base`, `gradients`."""
    paper: ClassVar[str] = ""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings that have a name of their own, asked for as `attack[preset=name]`."""

    @property
    def queries(self) -> int | None:
        """U-Net rows a pair, checked against the count; None leaves it to the count."""
        return None

    @property
    def threshold(self) -> float | None:
        """The score above which a pair is called a member; None: the best one on the shadow."""
        return None

    @property
    def learns(self) -> bool:
        """Whether it must be fitted on a shadow before it can score."""
        return type(self).fit is not Attack.fit

    @property
    def reads_reference(self) -> bool:
        """Whether it compares the target with a reference."""
        return False

    def declines(self, shadow: Shadow) -> str | None:
        """Why the attack cannot be run with this kind of shadow split; None if it can."""
        return None

    def features(self, target: Target, pairs: Pairs) -> FloatArray:
        """What the model says of each pair, shape (n, F), float64.

        A row depends on its own pair alone: on no other pair, nor on how many there are, in which
        order they come or how they are batched. A large set is asked in shards, and the shadow's
        features are held against the target's, so anything else would change with the size of the
        set. `pairs` and what `target` gives are not to be written to.
        """
        raise NotImplementedError(f"{type(self).__name__} must override features")

    def fit(self, features: FloatArray, is_member: NDArray[np.bool_]) -> Self:
        """Learn from the shadow's features whatever the attack learns; nothing by default."""
        return self

    def score(self, features: FloatArray) -> FloatArray:
        """One score a pair, shape (n,); by default the first feature."""
        return np.asarray(features[:, 0], dtype=np.float64)


@dataclass
class ReferenceAttack(Attack):
    """Compares the target with a model that has not seen the pair.

    `reference` says which: `shadow`, fine-tuned by the attacker on all pairs it has and stopped
    early; `base`, what the target was fine-tuned from; the path of a U-Net's weights; or, where a
    subclass allows it, `none`. What the reference says is computed once for all targets of a seed.
    The threshold comes from the shadow measured against references that did not see the pairs
    under test (cross-fitted on two halves), never from the reference itself.
    """

    reference: str = "shadow"

    @property
    def reads_reference(self) -> bool:
        return self.reference != "none"

    @property
    def reference_queries(self) -> int:
        """U-Net rows a pair of the attacker's own model, beside `queries`."""
        return self.queries or 0

    def declines(self, shadow: Shadow) -> str | None:
        if self.reference == "shadow" and shadow == "resplit":
            return "with --shadow resplit its reference would have seen the pairs under test"
        return None

    def reads(self) -> Sequence[Path]:
        """Weights given by path are part of the key."""
        known = self.reference in ("shadow", "base", "none")
        return () if known else (Path(self.reference).expanduser(),)

    def observe(self, reference: Target, pairs: Pairs) -> NDArray[Any]:
        """What the reference says of each pair, shape (n, ...)."""
        raise NotImplementedError(f"{type(self).__name__} must override observe")

    def compare(self, target: Target, pairs: Pairs, observed: NDArray[Any]) -> FloatArray:
        """Features of the target beside what `observe` gave for the same pairs, shape (n, F)."""
        raise NotImplementedError(f"{type(self).__name__} must override compare")
