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
from bench.errors import UsageError
from bench.models.base import Base
from bench.specs import Augment
from bench.training.means import Means
from bench.training.peers import check_shareable
from bench.training.recipe import Recipe
from bench.training.session import Session
from bench.training.trainer import Trainer
from bench.training.visits import Schedule, Visits

if TYPE_CHECKING:
    from torch import Tensor

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


def train(
    base: Base, task: Task, work: Path, out: Path, progress: Progress, means: Means | None = None
) -> dict[str, Any]:
    """Fine-tunes on the pairs; writes `unet.safetensors` (EMA) and the kept epochs to `out`.

    Beside it `unet-raw.safetensors`, the weights as trained, where the recipe asks for them. Of
    several processes each calls this, and the first one writes. Returns the figures of the
    training: mean loss of every epoch, pictures, steps.
    """
    from safetensors.torch import save_file

    asked, means = task.recipe, means or Means()
    task = replace(task, recipe=task.defense.recipe(asked, len(task.pairs)))
    recipe, defense, n = task.recipe, task.defense, len(task.pairs)
    check_shareable(recipe, defense, means.peers.count)
    schedule = Schedule(recipe, n, task.seed, task.secret)
    session = _session(base, task, schedule, work, progress, means)
    trainer, first = session.trainer, means.peers.first
    trainer.resume(work, defense)
    saved, pause = time.monotonic(), means.checkpoint_seconds
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
        if first and last and epoch in recipe.keep and epoch < recipe.epochs:
            save_file(trainer.weights(), work / kept_name(epoch))
        if last and means.peers.agreed(defense.stops(epoch)):
            trainer.stopped = epoch
        if first and trainer.whole and time.monotonic() - saved >= pause:
            began = time.monotonic()
            trainer.save(work, defense)
            saved = time.monotonic()
            # Gigabytes of state take their time; written that often they would take all of it.
            pause = means.checkpoint_seconds * max(1.0, saved - began)
    trainer.end()
    if first:
        _write(trainer, asked, work, out)
    return _figures(trainer, schedule, n)


def _write(trainer: Trainer, asked: Recipe, work: Path, out: Path) -> None:
    """The weights of the end and of the epochs that were asked for."""
    from safetensors.torch import save_file

    save_file(trainer.weights(), out / "unet.safetensors")
    if asked.keep_raw:
        save_file(trainer.weights(averaged=False), out / "unet-raw.safetensors")
    for epoch in (epoch for epoch in asked.keep if epoch < asked.epochs):
        kept = work / kept_name(epoch)  # a model that stopped earlier is what it was then
        shutil.copyfile(kept if kept.exists() else out / "unet.safetensors", out / kept.name)


def kept_name(epoch: int) -> str:
    """File of the weights that are kept of this epoch."""
    return f"unet-{epoch:04d}.safetensors"


def _session(
    base: Base, task: Task, schedule: Schedule, work: Path, progress: Progress, means: Means
) -> Session:
    """Caches filled, optimiser made, and every part of the defense set up."""
    stream = Visits(base, task.pairs, task.recipe, task.augment, task.seed, task.defense, means)
    stream.posteriors.fill(
        stream.squares(schedule), lambda done, of: progress(done, of, "squares encoded")
    )
    session = Session(
        trainer=Trainer(base, task.recipe, task.seed, task.secret, means),
        pairs=task.pairs,
        auxiliary=task.auxiliary,
        recipe=task.recipe,
        augment=task.augment,
        seed=task.seed,
        stream=stream,
        means=means,
        train_beside=partial(_train_beside, base, task, work, progress, means),
    )
    task.defense.begin(session)
    return session


def _train_beside(
    base: Base,
    task: Task,
    work: Path,
    progress: Progress,
    means: Means,
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
        means.peers.wait()  # until all have seen that it is still to be trained
        epochs = epochs or task.recipe.epochs
        recipe = task.recipe.changed(keep=(), keep_raw=False, epochs=epochs)
        alone = replace(task, pairs=pairs, defense=Composition(), recipe=recipe)
        figures = train(
            base.anew(), alone, own, own / "partial",
            lambda done, of, unit: progress(done, of, f"{unit} of {name}"),
            replace(means, trackers=()),
        )  # fmt: skip
        if means.peers.first:
            (own / "partial" / FIGURES).write_text(json.dumps(figures), encoding="utf-8")
            (own / "partial").replace(own / "out")
        means.peers.wait()
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
    if weights is not None and weights.requires_grad and session.means.peers.count > 1:
        raise UsageError(
            "a defense's weights have a gradient of their own, which processes would not share; "
            "leave --processes out"
        )
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
