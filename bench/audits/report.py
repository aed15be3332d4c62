"""An audit as a table, as plain numbers, and as a report in Markdown that says where it is from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.audits.findings import OF_AN_ATTACK, Findings, gates_of
from bench.audits.verdict import limits, outcome, verdict
from bench.boards.gates import told
from bench.boards.rows import Figure, Row
from bench.boards.tables import render
from bench.specs import Adopted, Cell


def table(found: Findings) -> list[dict[str, Any]]:
    """One line an attack: percentages with 95 % intervals."""
    return [
        {
            "attack": row.attack,
            "AUC": _percent(row.figure("auc")),
            "TPR@1%FPR": _percent(row.figure("tpr")) or "refused (n < 437)",
            "ASR": _percent(row.figure("asr")) or "-",
            "base AUC": _percent(row.figure("auc", "base_control")) or "-",
            "queries": row.queries,
        }
        for row in found.rows
    ]


def figures(found: Findings) -> list[dict[str, Any]]:
    """The same as plain numbers (shares, not percentages), for `--format json` and `csv`."""
    return [_figures(row) for row in found.rows]


def document(found: Findings, cell: Cell, remarks: Sequence[str]) -> dict[str, Any]:
    """Everything, for programs."""
    auc, tpr = found.worst.auc.estimate(), found.worst.tpr.estimate()
    said = {
        "outcome": outcome(found),
        "text": verdict(found),
        "failed_gates": list(found.failed),
        "members": found.m,
        "holdouts": found.n,
        "worst_auc": auc._asdict(),
        "chance_auc": found.chance_auc._asdict(),
        "smallest_auc_seen": found.smallest_auc,
        "epsilon_at_least": None if found.failed else found.epsilon.value,
    }
    if found.tells_tpr:
        said |= {
            "worst_tpr": tpr._asdict(),
            "chance_tpr": found.chance_tpr._asdict(),
            "smallest_tpr_seen": found.smallest_tpr,
        }
    return {
        "verdict": said,
        "rows": figures(found),
        "notes": limits(found, cell, remarks),
        "about": dict(about(found, cell)),
    }


def markdown(found: Findings, cell: Cell, remarks: Sequence[str], command: str) -> str:
    """The report: verdict, figures, gates, limits, and all that identifies what was audited."""
    facts = [{"what": what, "which": which} for what, which in about(found, cell)]
    parts = [
        f"# Audit of {cell.audited.target.label if cell.audited else cell.base_label}",
        f"**{verdict(found)}**",
        "## Attacks",
        render(table(found), "md"),
        "## Gates",
        render(_gates(found), "md"),
        "## Limits",
        "\n".join(f"- {line}" for line in limits(found, cell, remarks)),
        "## What was audited",
        render(facts, "md"),
        f"    {command}",
    ]
    return "\n\n".join(parts) + "\n"


def about(found: Findings, cell: Cell) -> list[tuple[str, str]]:
    """What was audited, with hashes, and what it was computed with."""
    made, split = found.records["scores"]["made"], found.records["split"]
    audited = cell.audited
    if audited is None:
        raise ValueError("a cell of a run, not of an audit")
    facts = [("target", _model(audited.target))]
    known = "base" if audited.knows_base else "parts beside the U-Net"
    facts.append((known, f"{cell.base_label}, sha256 {cell.base_identity}"))
    if audited.shadow is not None:
        facts.append(("shadow", _model(audited.shadow)))
    if audited.trains_shadow:
        facts.append(("shadow", f"trained here by recipe {cell.recipe['name']}"))
    data = cell.data if isinstance(cell.data, Mapping) else {}
    facts += [(part, f"{data[part]}, sha256 {hash_}") for part, hash_ in audited.parts.items()]
    used = made["packages"] | {"peft": found.records["model"]["made"]["peft"]}
    packages = ", ".join(f"{name} {version}" for name, version in used.items())
    return [
        *facts,
        ("split", f"sha256 {split['result']['digest']}"),
        ("seed of the attacker's noise", str(cell.seed)),
        ("computed with", f"bench {made['bench']}, Python {made['python']}, {packages}"),
        ("device", f"{made['device']} ({made['machine']})"),
    ]


def _gates(found: Findings) -> list[dict[str, str]]:
    """A line for each verdict, those that are an attack's own with its name."""
    lines = {}
    for row in found.rows:
        for gate in gates_of(row):
            name = gate["name"]
            whose = f"{name} ({row.attack})" if name in OF_AN_ATTACK else name
            lines[whose] = {
                "gate": whose,
                "passed": "yes" if gate["passed"] else "NO",
                "what it saw": told(name, gate["figures"]).removeprefix(f"{name}: "),
            }
    return list(lines.values())


def _model(model: Adopted) -> str:
    return f"{model.label} ({model.form}), sha256 {model.identity}"


def _figures(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {"attack": row.attack}
    for name, figure in (
        ("auc", row.figure("auc")),
        ("tpr_at_1fpr", row.figure("tpr")),
        ("asr", row.figure("asr")),
        ("base_auc", row.figure("auc", "base_control")),
    ):
        ends = figure.estimate[:3] if figure else (None, None, None)
        flat |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
    return flat | {
        "members": row.n[0],
        "holdouts": row.n[1],
        "queries": row.asked("queries"),
        "reference_queries": row.asked("reference_queries"),
    }


def _percent(figure: Figure | None) -> str:
    return figure.text(scale=100, digits=1) if figure else ""
