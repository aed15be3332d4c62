"""Parts of graphs that are made once, however many cells of a request stand on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from bench.specs import Cell, Component, canonical

Made = dict[tuple[Any, ...], tuple[Any, Any]]
"""Parts of graphs by what they are made of; with it, so that an `id` stays what it is."""
VARYING = frozenset(
    ("defense", "attack", "view", "replays", "pool", "shadow_defense", "seed", "at")
)
"""Fields in which cells of one request differ, or that say what an attacker knows."""


def about(cell: Cell, made: Made) -> str:
    """What cells of one request have in common, as text; those of one request share its values."""
    fixed = [getattr(cell, name) for name in type(cell).model_fields if name not in VARYING]
    key = ("about", *map(id, fixed))
    if key not in made:
        made[key] = canonical(cell.model_dump(mode="json", exclude=set(VARYING))), fixed
    text: str = made[key][0]
    return text


def once(
    on: Callable[[Any], tuple[Any, ...]],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A part of a graph that is made once for all cells that agree in this.

    Hashing it again for each of a thousand cells took most of the time of `bench plan`.
    """

    def decorate(make: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(make)
        def made(graph: Any, *given: Any) -> Any:
            made_of = (*on(graph), *given)
            plain = (id(one) if isinstance(one, Component) else one for one in made_of)
            key = (type(graph), make.__name__, graph.about, *plain)
            if key not in graph.made:
                graph.made[key] = make(graph, *given), made_of
            return graph.made[key][0]

        return made

    return decorate
