"""Small classifiers: those that attacks train on the shadow's numbers, and a defense's proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class ResNet18:
    """A ResNet-18 from nothing that regresses 0 or 1 on square maps by mean squared error.

    Rows are flattened maps, (n, channels * side * side). SGD with `momentum`, or Adam without.
    The same rows give the same network, bit for bit on CPU.
    """

    channels: int
    epochs: int
    batch: int
    rate: float
    momentum: float = 0.0
    seed: int = 0
    _network: Any = field(default=None, init=False, repr=False)
    _scale: float = field(default=1.0, init=False, repr=False)

    def fit(self, rows: NDArray[np.float64], is_member: NDArray[np.bool_]) -> Self:
        """Trains on all rows; maps are divided by their mean absolute value first."""
        import torch
        from torch.nn import functional as F

        self._scale = float(np.abs(rows).mean()) or 1.0
        maps, wanted = self._maps(rows), torch.from_numpy(is_member.astype(np.float32))
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self._network = self._new().train()
            optimizer = self._optimizer()
            for _ in range(self.epochs):
                for some in torch.split(torch.randperm(len(maps)), self.batch):
                    if len(some) == 1 and len(maps) > 1:  # batch norm needs two
                        continue
                    loss = F.mse_loss(self._network(maps[some]).logits[:, 0], wanted[some])
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    optimizer.step()
        self._network.eval()
        return self

    def predict(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """One value a row; nearer to 1 = member."""
        import torch

        with torch.inference_mode():
            parts = [
                self._network(part).logits[:, 0] for part in torch.split(self._maps(rows), 256)
            ]
        return torch.cat(parts).double().numpy()

    def _maps(self, rows: NDArray[np.float64]) -> Tensor:
        import torch

        side = round((rows.shape[1] / self.channels) ** 0.5)
        if self.channels * side * side != rows.shape[1]:
            raise ValueError(f"{rows.shape[1]} numbers are no {self.channels} square maps")
        maps = torch.from_numpy(np.ascontiguousarray(rows / self._scale, dtype=np.float32))
        return maps.view(-1, self.channels, side, side)

    def _new(self) -> Any:
        from transformers import ResNetConfig, ResNetForImageClassification

        shape = ResNetConfig(
            num_channels=self.channels, embedding_size=64, hidden_sizes=[64, 128, 256, 512],
            depths=[2, 2, 2, 2], layer_type="basic", num_labels=1,
        )  # fmt: skip
        return ResNetForImageClassification(shape)

    def _optimizer(self) -> Any:
        import torch

        weights = self._network.parameters()
        if not self.momentum:
            return torch.optim.Adam(weights, lr=self.rate)
        return torch.optim.SGD(weights, lr=self.rate, momentum=self.momentum, weight_decay=5e-4)


class Perceptron:
    """A ReLU network with dropout that learns step by step and survives a resume, bit for bit.

    Every draw comes from generators handed in: one for the weights, one a row for what is dropped.
    Uniform initialisation as in `torch.nn.Linear`; Adam.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rng: np.random.Generator,
        device: Any,
        rate: float,
        decay: float,
        dropout: float,
    ) -> None:
        import torch

        self._weights: list[Tensor] = []
        for before, after in pairwise(sizes):
            for shape in ((after, before), (after,)):
                drawn = rng.uniform(-(before**-0.5), before**-0.5, shape).astype(np.float32)
                self._weights.append(torch.from_numpy(drawn).to(device).requires_grad_())
        self._hidden, self._dropout = list(sizes[1:-1]), dropout
        self._adam = torch.optim.Adam(self._weights, lr=rate, weight_decay=decay)

    def __call__(self, rows: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
        """Log-probabilities of the classes for rows of any shape, (n, classes)."""
        import torch
        from torch.nn import functional as F

        kept = np.stack([rng.random(sum(self._hidden)) >= self._dropout for rng in rngs])
        masks = torch.split(torch.from_numpy(kept).to(rows.device), self._hidden, dim=1)
        rows = rows.flatten(1)
        for layer, mask in enumerate(masks):
            rows = F.linear(rows, *self._weights[2 * layer :][:2]).relu()
            rows = rows * mask / (1 - self._dropout)
        return F.linear(rows, *self._weights[-2:]).log_softmax(1)

    def learn(self, loss: Tensor) -> None:
        """One step down this loss; gradients that other losses left are forgotten first."""
        import torch

        self._adam.zero_grad()
        torch.autograd.backward(loss)
        self._adam.step()

    def state(self) -> dict[str, Tensor]:
        """Weights and moments."""
        state = {f"weight.{i}": p.detach() for i, p in enumerate(self._weights)}
        for i, p in enumerate(self._weights):
            state |= {f"{part}.{i}": value for part, value in self._adam.state[p].items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes back what `state` gave."""
        import torch

        with torch.no_grad():
            for i, p in enumerate(self._weights):
                p.copy_(state[f"weight.{i}"])
                moments = {part: state.get(f"{part}.{i}") for part in MOMENTS}
                if moments["step"] is not None:
                    self._adam.state[p] = moments | {"step": moments["step"].cpu()}
