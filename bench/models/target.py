"""The model under attack, as an attacker may query it; every query is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.data.pairs import Pairs
from bench.models.base import Base
from bench.models.evaluations import ROWS, Evaluations, Question

if TYPE_CHECKING:
    from torch import Tensor

    from bench.api import Condition, FloatArray


class ModelTarget:
    """One attack's view of a model; implements `bench.api.Target`.

    `queries` is what an attacker would have to ask, each different question once. What other
    attacks of the run asked before is answered from `shared` and evaluated no second time.
    """

    def __init__(
        self,
        base: Base,
        seed: int,
        rows: int = ROWS,
        progress: Callable[[int], None] = lambda rows: None,
        shared: Evaluations | None = None,
    ) -> None:
        self.shared = shared or Evaluations(base, seed, rows, progress)
        self.base = base
        self.queries = 0
        self._asked: set[tuple[Question, int]] = set()

    def losses(
        self,
        pairs: Pairs,
        timesteps: Sequence[int],
        captions: Sequence[str] | None = None,
        *,
        crop: float = 1.0,
        text_noise: float = 0.0,
    ) -> FloatArray:
        """Mean squared error of the predicted noise, shape (n, len(timesteps)), float64."""
        question = self._question(pairs, captions, crop, text_noise)
        return self._losses(pairs, timesteps, [question])[0]

    def losses_under(
        self, pairs: Pairs, timesteps: Sequence[int], conditions: Sequence[Condition]
    ) -> list[FloatArray]:
        """`losses` under one condition after the other, each (n, len(timesteps))."""
        questions = [
            self._question(pairs, condition.captions, text_noise=condition.text_noise)
            for condition in conditions
        ]
        return self._losses(pairs, timesteps, questions)

    def predictions(self, pairs: Pairs, timesteps: Sequence[int]) -> Tensor:
        """eps_theta at the pairs' own noise and caption, shape (n, len(timesteps), c, h, w)."""
        import torch

        question = self._question(pairs, None)
        self._count(question, timesteps)
        found = self.shared.make(pairs, timesteps, question, keep=True)
        return torch.stack([found[question, t] for t in timesteps], dim=1)

    def word_importance(self, pairs: Pairs, timestep: int) -> list[list[float]]:
        """How much attention each blank-separated word of each caption draws.

        The maps come with the evaluation of the pair's own caption, so that the same attack's
        `losses` at this timestep is no further query.
        """
        question = self._question(pairs, None)
        self._count(question, [timestep])
        return self.shared.word_importance(pairs, timestep, question)

    def batches(self, pairs: Pairs) -> Iterator[Pairs]:
        """The pairs in parts that one forward takes, for attacks that call `predict`."""
        return self.shared.batches(pairs)

    def latents(self, pairs: Pairs) -> Tensor:
        """Scaled posterior means, shape (n, c, h, w)."""
        return self.shared.latents(pairs)

    def text(self, captions: Sequence[str]) -> Tensor:
        """Text states, shape (n, tokens, d); a copy, so that no attack can change another's."""
        return self.shared.text(captions).clone()

    def noise(self, pairs: Pairs, timestep: int) -> Tensor:
        """The pairs' own noise at this timestep, shape (n, c, h, w)."""
        return self.shared.noise(pairs, timestep)

    def alpha_bar(self, timestep: int) -> float:
        """Share of the signal's variance at this timestep, from the model's own schedule."""
        self.shared.check(timestep)
        return self.base.alpha_bar(timestep)

    def predict(self, noisy: Tensor, timestep: int, text: Tensor) -> Tensor:
        """eps_theta(z_t, t, c) for rows of one timestep, shape like `noisy`."""
        self.queries += len(noisy)
        return self.shared.predict(noisy, timestep, text)

    def _losses(
        self, pairs: Pairs, timesteps: Sequence[int], questions: Sequence[Question]
    ) -> list[FloatArray]:
        for question in questions:
            self._count(question, timesteps)
        self.shared.make(pairs, timesteps, *questions)
        return [
            np.stack([self.shared.losses(question, t) for t in timesteps], axis=1)
            for question in questions
        ]

    def _question(
        self,
        pairs: Pairs,
        captions: Sequence[str] | None,
        crop: float = 1.0,
        text_noise: float = 0.0,
    ) -> Question:
        captions = pairs.captions if captions is None else captions
        if len(captions) != len(pairs):
            raise ValueError(f"{len(captions)} captions for {len(pairs)} pairs")
        return Question(pairs.ids, tuple(captions), crop, text_noise)

    def _count(self, question: Question, timesteps: Sequence[int]) -> None:
        new = {(question, t) for t in timesteps} - self._asked
        self._asked |= new
        self.queries += len(new) * len(question.ids)
