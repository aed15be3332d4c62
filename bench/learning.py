"""Small classifiers that attacks train on the shadow's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


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
