"""The training loop: fine-tunes the U-Net of a base on pairs, resumable at any step.

Follows the published fine-tuning script (diffusers' text_to_image, as in Zhai et al. 2024): VAE
and text encoder frozen, posterior sampled at every visit, t uniform, mean squared error, AdamW,
clipped gradients, EMA weights kept. What differs is randomness: every draw is keyed by (seed,
pair, visit), which makes a resumed run equal to one that was never stopped, bit for bit on CPU.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.geometry import draw
from bench.data.pairs import Pairs
from bench.models.base import Base
from bench.models.diffusion import add_noise, training_target
from bench.rng import generator
from bench.specs import Augment
from bench.training.caches import Posteriors, TextStates, Visit
from bench.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT_SECONDS = 20.0
Progress = Callable[[int, int, str], None]


@dataclass
class Batch:
    """One micro-batch of visits, ready for the U-Net."""

    clean: Tensor
    noise: Tensor
    times: Tensor
    text: Tensor


class Visits:
    """The stream of visits: every epoch a fresh order, every visit its own draws."""

    def __init__(
        self, base: Base, pairs: Pairs, recipe: Recipe, augment: Augment, seed: int
    ) -> None:
        self._base, self._pairs, self._seed = base, pairs, seed
        self._recipe, self._augment = recipe, augment
        self.posteriors = Posteriors(base, pairs, recipe.crop_margin)
        self._text = TextStates(base, pairs.captions)
        self.total = recipe.epochs * len(pairs)

    def order(self, epoch: int) -> list[int]:
        shuffled = generator(self._seed, "order", epoch).permutation(len(self._pairs))
        return [int(i) for i in shuffled]

    def squares(self) -> Iterator[Visit]:
        """The squares of all visits, without the rest of their draws."""
        for epoch in range(self._recipe.epochs):
            for i in range(len(self._pairs)):
                yield self._square(i, self._rng(i, epoch))

    def _rng(self, index: int, epoch: int) -> np.random.Generator:
        return generator(self._seed, "visit", self._pairs.ids[index], epoch)

    def _square(self, index: int, rng: np.random.Generator) -> Visit:
        pixels, side = self.posteriors.pixels[index], self._base.resolution
        return index, draw(pixels, side, self._augment, rng)

    def batch(self, first: int, size: int) -> Batch:
        """The visits first ... first + size - 1 of the whole training, all of one epoch."""
        import torch

        epoch, offset = divmod(first, len(self._pairs))
        chosen = self.order(epoch)[offset : offset + size]
        rngs = [self._rng(i, epoch) for i in chosen]
        squares = [self._square(i, rng) for i, rng in zip(chosen, rngs, strict=True)]
        mean, logvar = self.posteriors.of(squares)
        steps = self._base.scheduler.config.num_train_timesteps
        times = [int(rng.integers(steps)) for rng in rngs]
        shape = (2, *mean.shape[1:])
        draws = np.stack([rng.standard_normal(shape, dtype=np.float32) for rng in rngs])
        posterior, noise = torch.from_numpy(draws).to(mean.device).unbind(1)
        clean = (mean + (0.5 * logvar).exp() * posterior) * self._base.scaling_factor
        text = self._text.of(chosen)
        return Batch(clean, noise, torch.tensor(times, device=mean.device), text)


class Trainer:
    """U-Net, optimiser and EMA with their state on disk."""

    def __init__(self, base: Base, recipe: Recipe) -> None:
        import torch
        from accelerate import Accelerator
        from diffusers.training_utils import EMAModel

        self.base, self.recipe = base, recipe
        self.accelerator = Accelerator(
            mixed_precision=recipe.precision,
            gradient_accumulation_steps=recipe.accumulate,
            cpu=base.device.type == "cpu",
        )
        unet = base.unet.train().requires_grad_(True)
        self.ema = EMAModel(unet.parameters(), decay=recipe.ema_decay, foreach=True)
        optimiser = torch.optim.AdamW(
            unet.parameters(),
            lr=recipe.lr,
            betas=recipe.betas,
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
            fused=True,
        )
        self.unet, self.optimiser = self.accelerator.prepare(unet, optimiser)
        self.visited = 0
        self.losses: list[float] = []

    def step(self, batch: Batch, last: bool = False) -> None:
        """One micro-batch: loss, backward, and at the end of an accumulation one update.

        `last` of an epoch ends an accumulation early, as accelerate does with a data loader.
        """
        import torch.nn.functional as F

        base = self.base
        if last:
            self.accelerator.step = self.recipe.accumulate - 1
        with self.accelerator.accumulate(self.unet):
            alpha_bar = base.alphas_cumprod[batch.times]
            noisy = add_noise(batch.clean, batch.noise, alpha_bar)
            output = self.unet(noisy, batch.times, encoder_hidden_states=batch.text).sample
            wanted = training_target(batch.clean, batch.noise, alpha_bar, base.prediction_type)
            loss = F.mse_loss(output.float(), wanted.float())
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                self.accelerator.clip_grad_norm_(self.unet.parameters(), self.recipe.clip_norm)
            self.optimiser.step()
            self.optimiser.zero_grad()
        if self.accelerator.sync_gradients:
            self.ema.step(self._raw().parameters())
        self.visited += len(batch.clean)
        self.losses.append(float(loss.detach()))
        if not math.isfinite(self.losses[-1]):
            raise ValueError(f"the loss is {self.losses[-1]} after {self.visited} visits")

    def ema_weights(self) -> dict[str, Tensor]:
        """The EMA weights under the U-Net's names."""
        names = [name for name, _ in self._raw().named_parameters()]
        return {
            name: value.detach().cpu().contiguous()
            for name, value in zip(names, self.ema.shadow_params, strict=True)
        }

    def save(self, folder: Path) -> None:
        """All state needed to go on, in one safetensors file, replaced whole."""
        from safetensors.torch import save_file

        unet = self._raw()
        tensors = {f"unet.{n}": p.detach().contiguous() for n, p in unet.named_parameters()}
        tensors |= {f"ema.{n}": value for n, value in self.ema_weights().items()}
        for (name, _), state in zip(unet.named_parameters(), self._moments(), strict=True):
            tensors |= {f"{part}.{name}": value for part, value in state.items()}
        facts = {
            "visited": self.visited,
            "ema_steps": self.ema.optimization_step,
            "losses": self.losses,
        }
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / ".checkpoint.partial"
        save_file(tensors, beside, metadata={"facts": json.dumps(facts)})
        beside.replace(folder / "checkpoint.safetensors")

    def resume(self, folder: Path) -> None:
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
        with stored:
            facts = json.loads(stored.metadata()["facts"])
            unet = self._raw()
            with torch.no_grad():
                for (name, p), shadow in zip(
                    unet.named_parameters(), self.ema.shadow_params, strict=True
                ):
                    p.copy_(stored.get_tensor(f"unet.{name}"))
                    shadow.copy_(stored.get_tensor(f"ema.{name}"))
                    self.optimiser.state[p] = {
                        part: stored.get_tensor(f"{part}.{name}")
                        for part in ("exp_avg", "exp_avg_sq", "step")
                    }
        self.visited, self.losses = facts["visited"], facts["losses"]
        self.ema.optimization_step = facts["ema_steps"]

    def _raw(self) -> Any:
        return self.accelerator.unwrap_model(self.unet)

    def _moments(self) -> list[dict[str, Tensor]]:
        parts = ("exp_avg", "exp_avg_sq", "step")
        return [{k: self.optimiser.state[p][k] for k in parts} for p in self._raw().parameters()]


def train(
    base: Base,
    pairs: Pairs,
    recipe: Recipe,
    augment: Augment,
    seed: int,
    work: Path,
    out: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Fine-tunes on `pairs`; writes `unet.safetensors` (EMA) and the kept epochs to `out`.

    Returns the figures of the training: mean loss of every epoch, steps, pictures a second.
    """
    from safetensors.torch import save_file

    visits = Visits(base, pairs, recipe, augment, seed)
    visits.posteriors.fill(visits.squares(), lambda done, of: progress(done, of, "squares encoded"))
    trainer = Trainer(base, recipe)
    trainer.resume(work)
    keep = {epoch * len(pairs): epoch for epoch in recipe.keep if epoch < recipe.epochs}
    saved = time.monotonic()
    while trainer.visited < visits.total:
        # As in the published script an epoch ends with a smaller batch, so no batch spans two.
        left = len(pairs) - trainer.visited % len(pairs)
        size = min(recipe.batch, left)
        trainer.step(visits.batch(trainer.visited, size), last=size == left)
        progress(trainer.visited, visits.total, "pictures")
        if trainer.visited in keep:
            save_file(trainer.ema_weights(), work / f"unet-{keep[trainer.visited]:04d}.safetensors")
        whole_step = trainer.accelerator.sync_gradients
        if whole_step and time.monotonic() - saved > CHECKPOINT_SECONDS:
            trainer.save(work)
            saved = time.monotonic()
    for path in work.glob("unet-*.safetensors"):
        shutil.copyfile(path, out / path.name)
    save_file(trainer.ema_weights(), out / "unet.safetensors")
    return {
        "pairs": len(pairs),
        "pictures": visits.total,
        "steps": trainer.ema.optimization_step,
        "loss_by_epoch": _by_epoch(trainer.losses, recipe.epochs),
    }


def _by_epoch(losses: list[float], epochs: int) -> list[float]:
    return [round(float(part.mean()), 6) for part in np.array_split(np.array(losses), epochs)]
