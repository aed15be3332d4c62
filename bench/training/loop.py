"""The training loop: fine-tunes the U-Net of a base on pairs, resumable at any step.

Follows the published fine-tuning script (diffusers' text_to_image, as in Zhai et al. 2024): VAE
and text encoder frozen, posterior sampled at every visit, t uniform, mean squared error, AdamW,
clipped gradients, EMA weights kept. What differs is randomness: every draw is keyed by (seed,
pair, visit), which makes a resumed run equal to one that was never stopped, bit for bit on CPU.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.composition import Composition
from bench.data.pairs import Pairs
from bench.models.base import Base
from bench.specs import Augment
from bench.training.recipe import Recipe
from bench.training.session import Session
from bench.training.trainer import Trainer
from bench.training.visits import Schedule, Visits

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT_SECONDS = 20.0
FIGURES = "figures.json"
Progress = Callable[[int, int, str], None]


@dataclass
class Task:
    """What is to be trained: pairs as a defense prepared them, and how."""

    pairs: Pairs
    recipe: Recipe
    augment: Augment
    seed: int
    auxiliary: Pairs
    defense: Composition = field(default_factory=Composition)

    @property
    def secret(self) -> str:
        """Keys what an attacker who trains by the same seed must not share: privacy's draws."""
        return hashlib.sha256(json.dumps(self.pairs.ids).encode()).hexdigest()


def train(base: Base, task: Task, work: Path, out: Path, progress: Progress) -> dict[str, Any]:
    """Fine-tunes on the pairs; writes `unet.safetensors` (EMA) and the kept epochs to `out`.

    Returns the figures of the training: mean loss of every epoch, pictures, steps.
    """
    from safetensors.torch import save_file

    asked = task.recipe
    task = replace(task, recipe=task.defense.recipe(asked, len(task.pairs)))
    recipe, defense, n = task.recipe, task.defense, len(task.pairs)
    schedule = Schedule(recipe, n, task.seed, task.secret)
    session = _session(base, task, schedule, work, progress)
    trainer = session.trainer
    trainer.resume(work, defense)
    saved = time.monotonic()
    # A training that was killed between its end and its publication stops where it had stopped.
    while trainer.batches < schedule.total and trainer.stopped is None:
        number = trainer.batches
        last = schedule.ends_epoch(number)
        losses = partial(_losses, session, defense, schedule.visit(number))
        trainer.step(losses, schedule.chosen(number), last=last)
        if trainer.whole:
            defense.after_step()
        epoch = trainer.batches // schedule.per_epoch
        visited = n * epoch + (0 if last else recipe.batch * (trainer.batches % schedule.per_epoch))
        progress(visited, recipe.epochs * n, "pictures")
        if last and epoch in recipe.keep and epoch < recipe.epochs:
            save_file(trainer.weights(), work / kept_name(epoch))
        if last and defense.stops(epoch):
            trainer.stopped = epoch
        if trainer.whole and time.monotonic() - saved > CHECKPOINT_SECONDS:
            trainer.save(work, defense)
            saved = time.monotonic()
    save_file(trainer.weights(), out / "unet.safetensors")
    for epoch in (epoch for epoch in asked.keep if epoch < asked.epochs):
        kept = work / kept_name(epoch)  # a model that stopped earlier is what it was then
        shutil.copyfile(kept if kept.exists() else out / "unet.safetensors", out / kept.name)
    return _figures(trainer, schedule, n)


def kept_name(epoch: int) -> str:
    """File of the weights that are kept of this epoch."""
    return f"unet-{epoch:04d}.safetensors"


def _session(base: Base, task: Task, schedule: Schedule, work: Path, progress: Progress) -> Session:
    """Caches filled, optimiser made, and every part of the defense set up."""
    stream = Visits(base, task.pairs, task.recipe, task.augment, task.seed, task.defense)
    stream.posteriors.fill(
        stream.squares(schedule), lambda done, of: progress(done, of, "squares encoded")
    )
    session = Session(
        trainer=Trainer(base, task.recipe, task.seed, task.secret),
        pairs=task.pairs,
        auxiliary=task.auxiliary,
        recipe=task.recipe,
        augment=task.augment,
        seed=task.seed,
        stream=stream,
        train_beside=partial(_train_beside, base, task, work, progress),
    )
    task.defense.begin(session)
    return session


def _train_beside(
    base: Base,
    task: Task,
    work: Path,
    progress: Progress,
    name: str,
    pairs: Pairs,
    epochs: int | None,
) -> tuple[Any, dict[str, Any]]:
    """The U-Net of a model trained from the base on these pairs without a defense; its figures.

    Both stay in the work folder, so that a resumed training finds them there.
    """
    # Known by what it is trained on, too: two defenses may give one name to different teachers.
    about = hashlib.sha256(json.dumps([pairs.ids, epochs]).encode()).hexdigest()
    own = work / f"{name}-{about[:8]}"
    weights = own / "out" / "unet.safetensors"
    if not weights.exists():
        (own / "partial").mkdir(parents=True, exist_ok=True)
        recipe = task.recipe.changed(keep=(), epochs=epochs or task.recipe.epochs)
        alone = replace(task, pairs=pairs, defense=Composition(), recipe=recipe)
        figures = train(
            base.anew(), alone, own, own / "partial",
            lambda done, of, unit: progress(done, of, f"{unit} of {name}"),
        )  # fmt: skip
        (own / "partial" / FIGURES).write_text(json.dumps(figures), encoding="utf-8")
        (own / "partial").replace(own / "out")
    kept: dict[str, Any] = json.loads((own / "out" / FIGURES).read_text(encoding="utf-8"))
    return base.anew(weights).unet, kept


def _losses(session: Session, defense: Composition, visit: int, chosen: Sequence[int]) -> Tensor:
    """Losses of these pairs at this visit as the defense wants them, (n,), with gradient."""
    batch = defense.on_batch(session.stream.batch(chosen, visit))
    noisy = session.noisy(batch)
    output = session.trainer.forward(noisy, batch.times, batch.text)
    batch.output = output.detach().float()
    wanted = defense.target(batch)
    errors = (output.float() - (session.wanted(batch) if wanted is None else wanted)).square()
    losses: Tensor = errors.flatten(1).mean(1)
    weights = defense.weigh(errors, batch)
    return losses if weights is None else losses * weights


def _figures(trainer: Trainer, schedule: Schedule, pairs: int) -> dict[str, Any]:
    epochs = trainer.batches // schedule.per_epoch
    parts = np.array_split(np.array(trainer.losses), epochs)
    return {
        "pairs": pairs,
        "epochs": epochs,
        "pictures": sum(len(schedule.chosen(number)) for number in range(trainer.batches)),
        "steps": trainer.steps,
        "loss_by_epoch": [round(float(part.mean()), 6) for part in parts],
    }
