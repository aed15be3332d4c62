"""U-Net, optimiser and averaged weights: one update at a time, with all state on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.composition import Composition
from bench.models.base import Base
from bench.rng import generator
from bench.training import lora, private
from bench.training.graphed import Graphed
from bench.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

OWN = "defense."
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Trainer:
    """Updates what the recipe lets be trained: all weights, or low-rank ones beside them."""

    def __init__(self, base: Base, recipe: Recipe, seed: int, secret: str = "") -> None:
        import torch
        from accelerate import Accelerator
        from diffusers.training_utils import EMAModel

        self.base, self.recipe = base, recipe
        self._noise_keys = (seed, "privacy noise", secret)
        self.accelerator = Accelerator(
            mixed_precision=recipe.precision,
            gradient_accumulation_steps=recipe.accumulate,
            cpu=base.device.type == "cpu",
        )
        unet = base.unet.train().requires_grad_(True)
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
        self.forward = Graphed(self.unet)
        """The U-Net's output for the micro-batch that is learnt from."""
        self.trained: dict[str, Tensor] = {
            name: p for name, p in self._raw().named_parameters() if p.requires_grad
        }
        self.batches = 0
        self.stopped: int | None = None
        """Epoch after which a defense ended the training."""
        self.losses: list[float] = []

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
                loss = losses(chosen).mean()
                self.accelerator.backward(loss)
                value = float(loss.detach())
                if self.accelerator.sync_gradients:
                    self.accelerator.clip_grad_norm_(
                        list(self.trained.values()), self.recipe.clip_norm
                    )
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
            self.ema.step(self.trained.values())
        self.batches += 1
        self.losses.append(value)
        if not math.isfinite(value):
            raise ValueError(f"the loss is {value} after {self.batches} batches")

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

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights under the names of the base's U-Net."""
        if self.recipe.lora_rank:
            with self.averaged():
                return lora.merged(self._raw())
        return {name: value.cpu().contiguous() for name, value in self._averages()}

    def save(self, folder: Path, defense: Composition) -> None:
        """All state needed to go on, in one safetensors file, replaced whole."""
        from safetensors.torch import save_file

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
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / ".checkpoint.partial"
        save_file(tensors, beside, metadata={"facts": json.dumps(facts)})
        beside.replace(folder / "checkpoint.safetensors")

    def resume(self, folder: Path, defense: Composition) -> None:
        """Goes back to the last checkpoint in `folder`; from the start if none can be read."""
        import torch
        from safetensors import SafetensorError, safe_open

        path = folder / "checkpoint.safetensors"
        if not path.exists():
            return
        try:
            stored: Any = safe_open(path, framework="pt", device=str(self.base.device))
        except SafetensorError:  # cut short when the machine went down
            path.unlink()
            return
        with stored, torch.no_grad():
            facts = json.loads(stored.metadata()["facts"])
            for (name, p), (_, average) in zip(self.trained.items(), self._averages(), strict=True):
                p.copy_(stored.get_tensor(f"unet.{name}"))
                average.copy_(stored.get_tensor(f"ema.{name}"))
                self.optimiser.state[p] = {
                    part: stored.get_tensor(f"{part}.{name}") for part in MOMENTS
                }
            own = [key for key in list(stored.keys()) if key.startswith(OWN)]
            state = {key.removeprefix(OWN): stored.get_tensor(key) for key in own}
        defense.restore(state, facts["notes"])
        self.batches, self.losses = facts["batches"], facts["losses"]
        self.stopped = facts["stopped"]
        self.ema.optimization_step = facts["steps"]

    def _averages(self) -> list[tuple[str, Tensor]]:
        return list(zip(self.trained, self.ema.shadow_params, strict=True))

    def _raw(self) -> Any:
        return self.accelerator.unwrap_model(self.unet)
