"""What a defense must keep to."""

from __future__ import annotations

from collections.abc import Callable

from bench.api import Context, Defense, Pairs
from bench.contract.common import Case
from bench.contract.outcome import BrokenError, Check, NotApplicableError
from bench.contract.training import RECIPE, SEED, Trained, trained
from bench.contract.zero import at_zero


def _train(
    case: Case, make: Callable[[], Defense | None] | None = None, killed: int = 0
) -> Trained:
    """A training of the case's members, under the defense if nothing else is said."""
    members, auxiliary = (case.given[name].pairs for name in ("members", "auxiliary"))
    return trained(case.base, make or case.make, members, auxiliary, killed)


def _quiet(case: Case) -> Trained:
    """The training that others are held against, made once."""
    if "quiet" not in case.memory:
        case.memory["quiet"] = _train(case)
    found: Trained = case.memory["quiet"]
    return found


def _prepared(case: Case, members: Pairs) -> Pairs:
    made: Defense = case.make()
    return made.prepare(members, Context(SEED, case.given["auxiliary"].pairs))


def lawful(case: Case) -> None:
    """`prepare` gives some of the members, each with its own original caption."""
    members = case.given["members"].pairs
    prepared = _prepared(case, members)
    if not isinstance(prepared, Pairs):
        raise BrokenError(f"prepare gives {type(prepared).__name__}; give Pairs")
    own = dict(zip(members.ids, members.originals, strict=True))
    for id_, caption, original in zip(
        prepared.ids, prepared.captions, prepared.originals, strict=True
    ):
        if own.get(id_) != original:
            raise BrokenError(f"prepare adds pair {id_} or overwrites its original caption")
        if not isinstance(caption, str):
            raise BrokenError(f"the caption of {id_} is {type(caption).__name__}; give text")
    if not len(prepared):
        raise BrokenError("prepare leaves no pair to train on")


def ordered(case: Case) -> None:
    """A pair's caption does not depend on the order in which the members come."""
    members = case.given["members"].pairs
    usual, turned = _prepared(case, members), _prepared(case, members.select(members.ids[::-1]))
    told = [dict(zip(made.ids, made.captions, strict=True)) for made in (usual, turned)]
    if told[0] != told[1]:
        raise BrokenError("members in another order are prepared otherwise; key draws by pair id")


def determined(case: Case) -> None:
    """The same weights and notes twice."""
    first, second = _quiet(case), _train(case)
    if first.weights != second.weights:
        raise BrokenError(
            "two trainings end in different weights; draw from the rng that is handed in"
        )
    if first.notes != second.notes:
        raise BrokenError("two trainings keep different notes; note nothing that time decides")


def resumed(case: Case) -> None:
    """KilledError half-way and taken up, it ends in the weights of a quiet training."""
    half = RECIPE.epochs * len(case.given["members"].pairs) // 2 + 1
    if _quiet(case).weights != _train(case, killed=half).weights:
        raise BrokenError(
            "killed half-way it ends in other weights; keep what it learns in `state`"
        )


def none_at_zero(case: Case) -> None:
    """With its strength at zero it trains the weights of `none`."""
    zero = at_zero(case.cls)
    if zero is None:
        raise NotApplicableError("it declares no parameters as its strength zero (`zero`)")
    if _train(case, lambda: case.make(**zero)).weights != _train(case, lambda: None).weights:
        told = ",".join(f"{name}={value}" for name, value in zero.items())
        raise BrokenError(f"with {told} it trains other weights than none")


def blind(case: Case) -> None:
    """It opens no picture but those of members and auxiliary pairs."""
    _quiet(case)
    for name in ("members", "auxiliary"):
        watched = case.given[name]
        if strange := watched.opened - set(watched.pairs.ids):
            raise BrokenError(f"it opens {min(strange)}, which is neither member nor auxiliary")


def clean(case: Case) -> None:
    """Neither captions nor pictures that it is handed are written to."""
    _quiet(case)
    for name in ("members", "auxiliary"):
        if what := case.given[name].changed():
            raise BrokenError(
                f"it writes into {what}; `pairs.with_captions` and copies change nothing"
            )


def replayed(case: Case) -> None:
    """An attacker who knows it can replay it, the same way twice."""
    members, auxiliary = (case.given[name].pairs for name in ("members", "auxiliary"))

    def replay(number: int) -> Pairs:
        made: Defense = case.make()
        return made.replay(members, Context(SEED, auxiliary), number)

    if replay(1).captions != replay(1).captions:
        raise BrokenError("replay 1 gives other captions each time; draw from context.rng")


DEFENSE: tuple[Check[Case], ...] = (
    ("it prepares members and nothing else", lawful),
    ("no pair depends on the order", ordered),
    ("the same replay twice", replayed),
    ("hold-outs are not looked at", blind),
    ("nothing it is handed is written to", clean),
    ("the same weights twice", determined),
    ("killed half-way, the same weights", resumed),
    ("at strength zero, the weights of none", none_at_zero),
)
