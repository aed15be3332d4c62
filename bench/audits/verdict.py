"""The verdict of an audit in plain words, and what it does not say."""

from __future__ import annotations

from collections.abc import Sequence

from bench.audits.findings import Findings, gates_of
from bench.specs import Audited, Cell
from bench.stats.estimate import Estimate

NAMED = 5
"""Repeated pairs that are told by name."""
LEAK, NONE, VOID = "leak", "none seen", "not interpretable"


def outcome(found: Findings) -> str:
    """`leak`, `none seen` or `not interpretable`."""
    if found.failed:
        return VOID
    return LEAK if found.seen_by_auc or found.seen_by_tpr else NONE


def verdict(found: Findings) -> str:
    """One paragraph."""
    return {LEAK: _leak, NONE: _none, VOID: _void}[outcome(found)](found)


def limits(found: Findings, cell: Cell, remarks: Sequence[str]) -> list[str]:
    """What the verdict rests on and what it leaves open."""
    audited, count = cell.audited, len(found.rows)
    attacks = f"{count} attacks" if count > 1 else "one attack"
    lines = [
        f"{found.m} members, {found.n} hold-outs, {attacks}; intervals: 95 %. The worst attack is "
        "chosen on one half of the pairs and measured on the other, both ways; its interval and "
        "the chance it is held against allow for the choice.",
        "It is about this one model and these pairs. A stronger attack, or another training on the "
        "same data, may leak more.",
    ]
    if not found.failed:
        lines.append(
            f"Empirical lower bound: epsilon >= {found.epsilon.value:.2f} at 95 % (attack and "
            "threshold chosen on one half, tested once on the other). It is what this attack shows "
            "on these pairs; no guarantee and no upper bound."
        )
    if not found.tells_tpr:
        lines.append(
            f"TPR@1%FPR is refused with {found.n} hold-outs (below 437 no interval would exclude "
            "0): whether a few members stand out far above all hold-outs is not known."
        )
    return [*lines, *_of_gates(found), *_of_knowledge(found, audited), *remarks]


def _leak(found: Findings) -> str:
    said = f"Members can be told from hold-outs: the worst attack ({_name(found)})"
    if not found.tells_tpr:
        return f"{said} has {_auc(found)}."
    rate = (
        f"finds {_percent(found.worst.tpr.estimate(), ' %')} of members at 1 % false alarms "
        f"{_up_to(found.chance_tpr)}"
    )
    if found.seen_by_tpr:
        return f"{said} {rate}; {_auc(found)}."
    return f"{said} has {_auc(found)}; it {rate}."


def _none(found: Findings) -> str:
    seen = f"AUC {100 * found.smallest_auc:.1f}"
    if found.tells_tpr:
        seen = f"{100 * found.smallest_tpr:.1f} % of members found at 1 % false alarms, or {seen}"
    return (
        f"No attack did better than chance on {found.m} members and {found.n} hold-outs (the "
        f"worst, {_name(found)}: {_auc(found)}). That does not show privacy: this test sees four "
        f"of five leaks of {seen}, and would miss most that are smaller."
    )


def _void(found: Findings) -> str:
    return (
        f"Not interpretable: {'; '.join(found.failed.values())}. Members and hold-outs differ "
        "without the fine-tuning, or overlap: the figures may say how they differ instead of what "
        "the model remembers. Deal both at random from one source, and check for repeats."
    )


def _of_gates(found: Findings) -> list[str]:
    """How large a difference between the sides the blind gates see."""
    seen = [
        f"AUC {100 * gate['figures']['seen_from']:.1f} by {gate['name'].removeprefix('blind ')}"
        for gate in gates_of(found.rows[0])
        if "seen_from" in gate["figures"]
    ]
    said = f"A difference between the two sets is seen from {' and '.join(seen)} on"
    return [f"{said}; a smaller one may pass the gates and look like a leak."] if seen else []


def _of_knowledge(found: Findings, audited: Audited | None) -> list[str]:
    """What was not given, and what that leaves out."""
    lines = []
    if audited is not None and not audited.knows_base:
        lines.append(
            "What the target was trained from is not known (--base): no base control, and no "
            "attack that compares with the base, which are often the strongest."
        )
    if audited is not None and not audited.has_shadow:
        lines.append(
            "No shadow model: ASR needs a threshold from one and is left out; attacks that learn "
            "from one declined."
        )
    model = found.records["model"]
    if "text_encoder.safetensors" in model["files"]:
        lines.append("The target has a text encoder of its own, not the base's: it was used.")
    if not model["result"]["changed"] and audited is not None and audited.knows_base:
        lines.append("No weight of the target differs from the base's: nothing was trained.")
    if found.repeats:
        lines.append(f"Remove from one of the two sides: {_first(found.repeats)}.")
    if left := len(found.records["split"]["result"]["left_out"]):
        lines.append(
            f"{left} auxiliary pairs share a caption or a picture with members or hold-outs and "
            "were left out."
        )
    return lines


def _first(repeats: Sequence[str]) -> str:
    """The first few, and how many there are."""
    more = f"; and {len(repeats) - NAMED} more" if len(repeats) > NAMED else ""
    return "; ".join(repeats[:NAMED]) + more


def _name(found: Findings) -> str:
    picked = found.worst.tpr if found.seen_by_tpr else found.worst.auc
    return " / ".join(dict.fromkeys(found.attacks[i] for i in picked.chosen))


def _auc(found: Findings) -> str:
    return f"AUC {_percent(found.worst.auc.estimate())} {_up_to(found.chance_auc, 50)}"


def _percent(estimate: Estimate, unit: str = "") -> str:
    value, low, high = (f"{100 * x:.1f}" for x in estimate[:3])
    return f"{value}{unit} [{low}, {high}]"


def _up_to(chance: Estimate, value: float | None = None) -> str:
    mean = f"{100 * chance.value:.1f}" if value is None else f"{value:g}"
    return f"(chance {mean}, below {100 * chance.high:.1f} in 39 of 40)"
