"""How an attacker is called, from what the attacker knows; so that no label can say otherwise."""

from __future__ import annotations

KNOWN = ("view", "replays", "pool", "shadow", "shadow_defense", "captioner_identity")
"""What an attacker knows, by the names of the cell."""


def attacker_label(
    attack: str,
    *,
    view: str,
    replays: int,
    pool: str,
    shadow_defense: str,
    shadow: str = "disjoint",
    captioner_identity: str | None = None,
    precision: str = "fp32",
) -> str:
    """As rows and boards write it; entries say what else sets two attackers apart, too."""
    told = []
    if view != "original":
        captioner = f" of {captioner_identity[:8]}" if captioner_identity else ""
        told += [f"{view} captions{captioner}" + (f", {pool} of {replays}" if replays > 1 else "")]
    told += ["defended shadow"] if shadow_defense == "same" else []
    told += [f"{shadow} shadow"] if shadow != "disjoint" else []
    told += [f"asked in {precision}"] if precision != "fp32" else []
    return attack + (f" ({', '.join(told)})" if told else "")
