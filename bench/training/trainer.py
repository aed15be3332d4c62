"""U-Net, optimiser and averaged weights: one update at a time, with all state on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.composition import Composition
from bench.models.base import Base
from bench.rng import generator
from bench.training import checkpoint, engine, lora, passes, private
from bench.training.graphed import Graphed
from bench.training.means import Means
from bench.training.peers import SharedForward
from bench.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

OWN = "defense."
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Trainer:
    """Updates what the recipe lets be trained: all weights, or low-rank ones beside them."""

    def __init__(
        self,
        base: Base,
        recipe: Recipe,
        seed: int,
        secret: str = "",
        means: Means | None = None,
    ) -> None:
        import torch
        from diffusers.training_utils import EMAModel

        self.base, self.recipe, self._means = base, recipe, means or Means()
        self._noise_keys = (seed, "privacy noise", secret)
        self.accelerator = engine.accelerator(recipe, base.device.type, self._means)
        unet = base.unet.train().requires_grad_(True)
        if recipe.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        if recipe.lora_rank:
            lora.attach(unet, recipe.lora_rank, recipe.lora_alpha, seed)
        trained = {name: p for name, p in unet.named_parameters() if p.requires_grad}
        self.ema = EMAModel(trained.values(), decay=recipe.ema_decay, foreach=True)
        optimiser = torch.optim.AdamW(
            trained.values(),
            lr=recipe.lr,
            betas=recipe.betas,
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.unet, self.optimiser = self.accelerator.prepare(unet, optimiser)
        self.forward = self._forward()
        """The U-Net's output for the micro-batch that is learnt from."""
        self.trained: dict[str, Tensor] = {
            name: p for name, p in self._raw().named_parameters() if p.requires_grad
        }
        self.batches = 0
        self.stopped: int | None = None
        """Epoch after which a defense ended the training."""
        self.losses: list[float] = []

    def _forward(self) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        recipe, peers = self.recipe, self._means.peers
        if peers.count > 1:
            return SharedForward(self.unet, peers)
        plain = recipe.precision == "no" and not recipe.gradient_checkpointing
        return Graphed(self.unet, plain=plain)

    @property
    def steps(self) -> int:
        """Updates of the weights so far."""
        return int(self.ema.optimization_step)

    def step(
        self,
        losses: Callable[[Sequence[int]], Tensor],
        chosen: Sequence[int],
        last: bool = False,
    ) -> None:
        """One micro-batch: losses of the chosen pairs, backward, after an accumulation one update.

        `last` of an epoch ends an accumulation early, as accelerate does with a data loader.
        """
        if last:
            self.accelerator.step = self.recipe.accumulate - 1
        with self.accelerator.accumulate(self.unet):
            clip = self.recipe.sample_clip
            if clip is None:
                each = losses(chosen)
                self.accelerator.backward(self._means.peers.part(each))
                value = float(each.detach().mean())
                if self.accelerator.sync_gradients:
                    weights = list(self.trained.values())
                    passes.clip(self.accelerator, weights, self.recipe.clip_norm)
            else:
                value = private.gradients(
                    list(self.trained.values()),
                    [partial(losses, [one]) for one in chosen],
                    self.recipe,
                    clip,
                    generator(*self._noise_keys, self.steps),
                )
            self.optimiser.step()
            self.optimiser.zero_grad()
        if self.accelerator.sync_gradients:
            passes.average(self.ema, list(self.trained.values()))
        self.batches += 1
        self.losses.append(value)
        if self._means.trackers and self.whole:
            self.accelerator.log({"loss": value}, step=self.steps)
        if not math.isfinite(value):
            raise ValueError(f"the loss is {value} after {self.batches} batches")

    def end(self) -> None:
        """Closes what watched the training."""
        if self._means.trackers:
            self.accelerator.end_training()

    @property
    def whole(self) -> bool:
        """Whether the last micro-batch ended with an update."""
        return bool(self.accelerator.sync_gradients)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in the place of the trained ones."""
        self.ema.store(self.trained.values())
        self.ema.copy_to(self.trained.values())
        try:
            yield
        finally:
            self.ema.restore(self.trained.values())

    def weights(self, *, averaged: bool = True) -> dict[str, Tensor]:
        """The weights under the names of the base's U-Net: averaged, or as trained."""
        if self.recipe.lora_rank:
            with self.averaged() if averaged else nullcontext():
                return lora.merged(self._raw())
        found = self._averages() if averaged else self.trained.items()
        return {name: value.detach().cpu().contiguous() for name, value in found}

    def save(self, folder: Path, defense: Composition) -> None:
        """All state needed to go on, in one file, replaced whole."""
        tensors = {f"unet.{n}": p.detach().contiguous() for n, p in self.trained.items()}
        tensors |= {f"ema.{n}": value.contiguous() for n, value in self._averages()}
        for name, p in self.trained.items():
            tensors |= {f"{part}.{name}": self.optimiser.state[p][part] for part in MOMENTS}
        tensors |= {f"{OWN}{n}": v.contiguous() for n, v in defense.state().items()}
        facts = {
            "batches": self.batches,
            "steps": self.steps,
            "stopped": self.stopped,
            "losses": self.losses,
            "notes": defense.notes,
        }
        if self.accelerator.scaler is not None:
            facts["scaler"] = self.accelerator.scaler.state_dict()
        checkpoint.write(folder, tensors, facts)

    def resume(self, folder: Path, defense: Composition) -> None:
        """Goes back to the last checkpoint in `folder`; from the start if none can be read."""
        import torch

        with ExitStack() as stack, torch.no_grad():
            found = checkpoint.read(folder, str(self.base.device), stack)
            if found is None:
                return
            names, tensor, facts = found
            for (name, p), (_, average) in zip(self.trained.items(), self._averages(), strict=True):
                p.copy_(tensor(f"unet.{name}"))
                average.copy_(tensor(f"ema.{name}"))
                self.optimiser.state[p] = {part: tensor(f"{part}.{name}") for part in MOMENTS}
            own = [name for name in names if name.startswith(OWN)]
            state = {name.removeprefix(OWN): tensor(name) for name in own}
        defense.restore(state, facts["notes"])
        self.batches, self.losses = facts["batches"], facts["losses"]
        self.stopped = facts["stopped"]
        if self.accelerator.scaler is not None and "scaler" in facts:
            self.accelerator.scaler.load_state_dict(facts["scaler"])
        self.ema.optimization_step = facts["steps"]

    def _averages(self) -> list[tuple[str, Tensor]]:
        return list(zip(self.trained, self.ema.shadow_params, strict=True))

    def _raw(self) -> Any:
        return self.accelerator.unwrap_model(self.unet)
