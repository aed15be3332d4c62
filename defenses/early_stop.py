"""Defense `early_stop`: training ends before the recipe's last epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bench.api import Defense, Training
from bench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class EarlyStop(Defense):
    """Stops when the denoising loss of unseen pairs no longer falls, or after `epochs` epochs.

    Zhai et al. 2024 (arXiv 2405.14800), Figure 2: membership shows the longer a model is trained,
    to CLiD long before other attacks. With `epochs` the end is fixed (`preset=e5`, `e10`, `e20`);
    these are visits of each pair, whereas the paper's ratio counts steps of four. Otherwise the
    loss of the averaged weights on the auxiliary pairs, with draws that never change, is taken
    every `every` epochs, and training stops once `patience` evaluations in a row were not more than
    `min_gain` below the best before them. The weights are those of that moment, not of the best. No
    hold-out is looked at. 0 switches off either rule.

    Notes: `stopped_after` epochs, the `losses` in order, the forwards they took.
    """

    name: ClassVar[str] = "early_stop"
    level: ClassVar = "procedure"
    paper: ClassVar[str] = "after Zhai et al., NeurIPS 2024, Figure 2"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        f"e{epochs}": {"epochs": epochs, "patience": 0} for epochs in (5, 10, 20)
    }

    epochs: int = 0
    patience: int = 2
    every: int = 5
    min_gain: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no number of epochs and no gain."""
        for name, value, least in (
            ("epochs", self.epochs, 0), ("patience", self.patience, 0), ("every", self.every, 1),
        ):  # fmt: skip
            if value < least:
                raise UsageError(f"defense early_stop: {name}={value} must be at least {least}")
        if not 0.0 <= self.min_gain < math.inf:
            raise UsageError(
                f"defense early_stop: min_gain={self.min_gain} must be at least 0 and finite"
            )
        self._best, self._waited = math.inf, 0

    def stops(self, epoch: int, training: Training) -> bool:
        ends = bool(self.epochs) and epoch >= self.epochs
        if self.patience and epoch % self.every == 0:
            ends = self._no_better(training) or ends
        if ends:
            training.notes["stopped_after"] = epoch
        return ends

    def _no_better(self, training: Training) -> bool:
        """Whether this evaluation is the last that was waited for."""
        loss = training.loss_on(training.auxiliary)
        training.notes.setdefault("losses", []).append(loss)
        if loss < self._best - self.min_gain:
            self._best, self._waited = loss, 0
        else:
            self._waited += 1
        return self._waited >= self.patience

    def state(self) -> dict[str, Tensor]:
        import torch

        return {"best_waited": torch.tensor([self._best, self._waited], dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        best, waited = state["best_waited"].tolist()
        self._best, self._waited = best, int(waited)
