"""Do the gates say what their figures say, are all of them there, and was none failed?"""

from __future__ import annotations

from collections.abc import Iterator

from bench.entries.checks.figures import difference
from bench.entries.entry import Entry
from bench.entries.gates import SPLIT_GATES, BlindGate, DuplicateGate
from bench.entries.problems import AGAIN
from bench.entries.schema import Attacker, Seed
from bench.stats.estimate import Estimate
from bench.trust.blind import consistent, passes
from bench.trust.control import control_gate
from bench.trust.permutation import permutation_gate

Flaw = tuple[str, str, str]
FAILED = "the row cannot be ranked; look at what the gate says of data and attack"


def check(entry: Entry) -> Iterator[Flaw]:
    """Flaws of gates."""
    for seed in entry.about.seeds:
        yield from _of_split(entry, seed)
        for attacker in entry.attackers:
            if flaw := _permutation(entry, attacker, seed.seed):
                yield f"seed {seed.seed}, attacker {attacker}", *flaw
    for known in entry.about.attackers:
        if flaw := _control(entry, known):
            yield f"attacker {known.label}", *flaw


def _of_split(entry: Entry, seed: Seed) -> Iterator[Flaw]:
    where = f"seed {seed.seed}"
    found: list[str] = [gate.name for gate in seed.gates]
    for name in SPLIT_GATES:
        if found.count(name) != 1:
            yield where, f"gate {name} is there {found.count(name)} times, not once", AGAIN
            return
    pairs = tuple(map(len, entry.ids(seed.seed)))
    for gate in seed.gates:
        if gate.passed != _due(gate):
            yield where, f"gate {gate.name} says other than its figures", AGAIN
        elif not gate.passed:
            yield where, f"gate {gate.name} failed", FAILED
        elif isinstance(gate, BlindGate):
            told = (gate.figures.members, gate.figures.holdouts)
            if told != pairs or not consistent(gate.figures.model_dump()):
                yield where, f"gate {gate.name}: its figures do not go together", AGAIN


def _due(gate: BlindGate | DuplicateGate) -> bool:
    if isinstance(gate, BlindGate):
        return passes(gate.figures.model_dump())
    return not (gate.figures.pictures or gate.figures.captions)


def _permutation(entry: Entry, attacker: str, seed: int) -> tuple[str, str] | None:
    """Computed anew, as all that scores give."""
    gates = entry.outcome(attacker, seed).gates
    if not gates:
        return "gate label permutation is missing", AGAIN
    due = permutation_gate(*entry.usual(attacker, seed))._asdict()
    if flaw := difference("label permutation", gates[0].model_dump(), due):
        return flaw, "figures are computed, never written: submit again"
    return None if gates[0].passed else ("gate label permutation failed", FAILED)


def _control(entry: Entry, attacker: Attacker) -> tuple[str, str] | None:
    """The base control of all seeds; only the base itself, or as reference, has none."""
    found = [entry.outcome(attacker.label, seed).base_control for seed in entry.seeds]
    exempt = entry.about.target.at == 0 or attacker.attack.params.get("reference") == "base"
    if exempt != all(one is None for one in found) or (not exempt and None in found):
        return "has a base control where there can be none, or lacks one", AGAIN
    controls = [Estimate(**one.auc.model_dump()) for one in found if one is not None]
    if not controls or (gate := control_gate(controls)).passed:
        return None
    said = f"AUC {gate.figures['auc']:.3f} on the base, which saw no pair"
    return f"gate base control failed: {said}", FAILED
