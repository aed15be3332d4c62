"""Defenses `smp_lora` and `mp_lora`: training against a proxy of the attacker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench.api import Batch, Defense, Pairs, Training
from bench.errors import UsageError
from bench.learning import Perceptron

if TYPE_CHECKING:
    from torch import Tensor

DELTA = 1e-5
MEMBER = 1
OWN_DRAWS = 1 << 40  # visits of the attacker's own, beyond those of any training
PRIVATE = "its attack term ties the pairs of a batch together"
WEIGHED = "the attack term would be weighed by what they drop"
EXCLUDES = {
    "lora": "each sets the rank; say rank=",
    "dp_lora": PRIVATE,
    "dp_sgd": PRIVATE,
    "wen_filter": WEIGHED,
    "agc": WEIGHED,
}


@dataclass
class _AgainstProxy(Defense):
    """The proxy h, its pools of pairs, its updates."""

    level: ClassVar[Literal["procedure"]] = "procedure"

    lam: float = 0.05
    rank: int = 64
    alpha: int = 32

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        self._attacker: Perceptron | None = None
        self._pools: list[Pairs] = []
        if not 0.0 <= self.lam < float("inf"):
            raise UsageError(f"defense {self.name}: lam={self.lam} must be positive, or 0 for none")
        for what, value in (("rank", self.rank), ("alpha", self.alpha)):
            if value < 0:
                raise UsageError(f"defense {self.name}: {what}={value} must not be negative")

    def recipe(self, recipe: Any, pairs: int) -> Any:
        """Low-rank, or all weights where the rank is 0."""
        return recipe.changed(lora_rank=self.rank, lora_alpha=self.alpha) if self.rank else recipe

    def begin(self, training: Training) -> None:
        """Half of the members, as many auxiliary pairs, an attacker that knows nothing."""
        if not self.lam:
            return
        if not len(training.auxiliary):
            raise UsageError(f"defense {self.name}: needs auxiliary pairs for its non-members")
        half = max(len(training.pairs) // 2, 1)
        self._pools = [self._some(pool, half, training) for pool in
                       (training.auxiliary, training.pairs)]  # fmt: skip
        others, members = map(len, self._pools)
        training.notes.update(attacker_members=members, attacker_non_members=others)
        clean = training.visits(self._pools[MEMBER], OWN_DRAWS, self._pools[MEMBER].ids[:1]).clean
        self._attacker = Perceptron(
            (clean.numel(), 512, 256, 2), training.rng(self.name, "weights"), clean.device,
            rate=1e-5, decay=1e-4, dropout=0.5,
        )  # fmt: skip

    def _some(self, pool: Pairs, most: int, training: Training) -> Pairs:
        drawn = {id_: training.rng(self.name, "pool", id_).random() for id_ in pool.ids}
        return pool.select(sorted(pool.ids, key=lambda id_: (drawn[id_], id_))[:most])

    def weigh(self, errors: Tensor, batch: Batch, training: Training) -> Tensor | None:
        """Step 1: the loss with the attack term, by noise and timesteps drawn afresh."""
        if self._attacker is None:
            return None
        again = training.redrawn(batch, self.name, "attack")
        said = self._attacker(training.errors(again), self._rngs(again, training))
        return self.factor(errors.mean(), said[:, MEMBER].mean()).expand(len(errors))

    def factor(self, loss: Tensor, gain: Tensor) -> Tensor:
        """What the batch's loss is multiplied with; `gain` is G, h's mean log P(member)."""
        raise NotImplementedError

    def after_step(self, training: Training) -> None:
        """Step 2: one update of h on as many non-members as members, the U-Net held still."""
        import torch

        if self._attacker is None:
            return
        said, size = [], min(training.recipe.batch, *map(len, self._pools))
        for label, pool in enumerate(self._pools):
            order = training.rng(self.name, "batch", label, training.steps).permutation(len(pool))
            ids = [pool.ids[i] for i in order[:size]]
            batch = training.visits(pool, OWN_DRAWS + training.steps, ids)
            with torch.no_grad():
                errors = training.errors(batch)
            said.append(self._attacker(errors, self._rngs(batch, training))[:, label])
        loss = -torch.cat(said).mean()
        self._attacker.learn(loss)
        training.notes["attacker_loss"] = round(float(loss.detach()), 6)

    def _rngs(self, batch: Batch, training: Training) -> list[Any]:
        return [training.rng(self.name, "dropout", id_, batch.visit) for id_ in batch.ids]

    def state(self) -> dict[str, Tensor]:
        """The attacker with its moments."""
        return self._attacker.state() if self._attacker else {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes them back."""
        if self._attacker:
            self._attacker.restore(state)


@dataclass
class SMPLoRA(_AgainstProxy):
    """Divides the loss by one that grows as the proxy attacker fails: stable MP-LoRA.

    Luo et al., AAAI 2025 (arXiv 2402.11989), Eq. 10: L = L_ada / (1 - lambda G + delta), with
    lambda (`lam`) 0.05, delta 1e-5, LoRA of rank 64 and alpha 32; rank 0 trains all weights. G is
    the mean log-probability of "member" that h gives a batch, met with fresh noise and timesteps:
    an MLP [512, 256, 2] with ReLU and dropout 0.5 on the squared errors of the noise prediction,
    flattened; Adam, 1e-5, weight decay 1e-4. Then one update of h on a batch of D_aux^m, half of
    the members, and one of as many auxiliary pairs. lam=0 has no attacker and changes nothing else.

    As in the code, every pair of the training set is labelled a member in the first step and h
    drops units in both. Differs: the non-members of h are auxiliary pairs, never evaluated;
    batches of h are drawn anew at each update, not in passes; learning rate, batch and epochs are
    those of the recipe (paper: 1e-4, batch 1, 400 epochs).
    """

    name: ClassVar[str] = "smp_lora"
    paper: ClassVar[str] = "Luo et al., AAAI 2025"
    excludes: ClassVar[Mapping[str, str]] = EXCLUDES | {"mp_lora": "two losses for one purpose"}

    def factor(self, loss: Tensor, gain: Tensor) -> Tensor:
        """1 / (1 - lambda G + delta)."""
        return 1 / (1 - self.lam * gain + DELTA)


@dataclass
class MPLoRA(_AgainstProxy):
    """L = L_ada + lambda G (Luo et al., arXiv 2402.11989, Eq. 6); the rest as in `smp_lora`."""

    name: ClassVar[str] = "mp_lora"
    paper: ClassVar[str] = "Luo et al., AAAI 2025"
    excludes: ClassVar[Mapping[str, str]] = EXCLUDES

    def factor(self, loss: Tensor, gain: Tensor) -> Tensor:
        """(L + lambda G) / L, with the gradients of both: times L it is the sum."""
        return 1 + self.lam * gain / loss
