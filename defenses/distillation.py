"""Defenses `distill_md` and `distill_single`: the student learns what teachers predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from bench.api import Batch, Defense, Training
from bench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

PRIVATE = "it trains teachers on the pairs without noise, which no accountant counts"


@dataclass
class _Distillation(Defense):
    """Holds the student's output against that of a teacher instead of the true noise."""

    level: ClassVar[Literal["procedure"]] = "procedure"

    share: float = 1.0
    budget: Literal["steps", "visits"] = "steps"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        self._teachers: dict[str, Any] = {}
        self._asked: dict[str, str] = {}
        if not 0.0 <= self.share <= 1.0:
            raise UsageError(
                f"defense {self.name}: share={self.share} must lie between 0 and 1 (0: none)"
            )
        if self.budget not in ("steps", "visits"):
            raise UsageError(f"defense {self.name}: budget={self.budget} must be steps or visits")

    def parts(self, training: Training) -> Mapping[str, Sequence[str]]:
        """What each teacher is trained on, by its name."""
        raise NotImplementedError

    def asked(self, parts: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """The teacher that answers for each pair."""
        raise NotImplementedError

    def begin(self, training: Training) -> None:
        """Trains the teachers, one after the other."""
        if not self.share:
            return
        parts, epochs = self.parts(training), training.recipe.epochs
        self._asked = self.asked(parts)
        for name, ids in parts.items():
            training.notes[f"{name}_pairs"] = len(ids)
            more = -(-epochs * len(training.pairs) // len(ids))
            longer = more if self.budget == "steps" else epochs
            self._teachers[name] = training.teacher(name, ids, longer)

    def target(self, batch: Batch, training: Training) -> Tensor | None:
        """For each pair, what its teacher says of the same noisy latent."""
        if not self.share:
            return None
        noisy, wanted = training.noisy(batch), training.wanted(batch).clone()
        distilled = [self._distilled(id_, batch.visit, training) for id_ in batch.ids]
        for name, teacher in self._teachers.items():
            rows = [
                i for i, id_ in enumerate(batch.ids) if distilled[i] and self._asked[id_] == name
            ]
            if rows:
                wanted[rows] = teacher(noisy[rows], batch.times[rows], batch.text[rows])
        notes = training.notes
        notes["distilled_visits"] = notes.get("distilled_visits", 0) + sum(distilled)
        return wanted

    def _distilled(self, id_: str, visit: int, training: Training) -> bool:
        return bool(training.rng(self.name, "share", id_, visit).random() < self.share)


@dataclass
class DistillMD(_Distillation):
    """Two teachers on disjoint halves; each pair is learnt from the one that did not see it.

    DistillMD of Tran et al. 2024 (arXiv 2410.16657): D = D1 + D2; teachers theta_1, theta_2 from
    the base by the usual loss on one half each; the student, from the base too, minimises
    ||stopgrad(eps_teacher(x_t, t, c)) - eps_s(x_t, t, c)||^2 with theta_2 for x_0 of D1 and theta_1
    for x_0 of D2. The true noise is never a target.

    `share` of the visits are distilled, the rest trained as usual; 0 trains no teacher and changes
    nothing. `budget=steps` is the paper's: each teacher makes as many steps as the student, so it
    sees each of its pairs twice as often; three trainings in all. With `budget=visits` it sees a
    pair as often as the student does, at half the steps.

    Differs from the paper, whose code is not public: it alternates a batch of D1 with one of D2,
    here batches are mixed and each pair has the target that it has there. The halves are drawn by
    the pairs' ids. The paper's second addition, several captions a picture, is another defense.
    """

    name: ClassVar[str] = "distill_md"
    paper: ClassVar[str] = "Tran et al., arXiv 2410.16657"
    excludes: ClassVar[Mapping[str, str]] = {
        "distill_single": "each sets the target of every visit",
        "latent_mixup": "a pair that is mixed into another would meet its own teacher",
        "text_mixup": "a caption that is mixed into another's would meet its own teacher",
        "dp_lora": PRIVATE,
        "dp_sgd": PRIVATE,
    }

    def parts(self, training: Training) -> Mapping[str, Sequence[str]]:
        """Two halves, by a draw of each pair's own."""
        ids = training.pairs.ids
        if len(ids) < 2:
            raise UsageError(f"defense {self.name}: {len(ids)} pair cannot be halved")
        drawn = sorted(ids, key=lambda id_: (training.rng(self.name, "half", id_).random(), id_))
        first = set(drawn[: len(ids) // 2])
        return {
            "teacher_1": [id_ for id_ in ids if id_ in first],
            "teacher_2": [id_ for id_ in ids if id_ not in first],
        }

    def asked(self, parts: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """The one that has not seen it."""
        (one, seen_by_one), (two, seen_by_two) = parts.items()
        return dict.fromkeys(seen_by_one, two) | dict.fromkeys(seen_by_two, one)


@dataclass
class DistillSingle(_Distillation):
    """One teacher on all pairs: the control that tells distillation from disjoint halves.

    Asked for by the reviewers of Tran et al. 2024 (arXiv 2410.16657); not in the paper. The teacher
    is the undefended model itself, bit for bit. Parameters as in `distill_md`; with one teacher on
    all pairs both budgets are the same.
    """

    name: ClassVar[str] = "distill_single"
    paper: ClassVar[str] = "control of Tran et al., arXiv 2410.16657"
    excludes: ClassVar[Mapping[str, str]] = {"dp_lora": PRIVATE, "dp_sgd": PRIVATE}

    def parts(self, training: Training) -> Mapping[str, Sequence[str]]:
        """Everything."""
        return {"teacher": training.pairs.ids}

    def asked(self, parts: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """The only one."""
        return {id_: name for name, ids in parts.items() for id_ in ids}
