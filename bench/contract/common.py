"""What the contract asks of attacks and defenses alike."""

from __future__ import annotations

import copy
import inspect
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.contract.outcome import BrokenError, Check
from bench.contract.pictures import Watched, part
from bench.parameters import parameters
from bench.plugins import Kind, instantiate
from bench.specs import Component

SIZE = 12
"""Pairs of a part."""


@dataclass
class Case:
    """A plugin under test, and what it is tried on."""

    kind: Kind
    component: Component
    base: Path
    """Folder of a tiny base."""
    given: dict[str, Watched] = field(
        default_factory=lambda: {
            name: Watched(part(number * SIZE, SIZE))
            for number, name in enumerate(
                ("members", "holdouts", "shadow_members", "shadow_holdouts", "auxiliary")
            )
        }
    )
    memory: dict[str, Any] = field(default_factory=dict)
    """What was computed for one check and serves another."""

    def make(self, **changed: Any) -> Any:
        """The plugin anew, with other parameters where some are given."""
        made = instantiate(self.kind, self.component)
        return type(made)(**{**self.component.params, **changed}) if changed else made

    @cached_property
    def cls(self) -> type[Any]:
        return type(self.make())


def card(case: Case) -> None:
    """Somebody who reads `bench show` learns what it does."""
    first = (vars(case.cls).get("__doc__") or "").strip().splitlines()
    if not first or first[0].startswith(f"{case.cls.__name__}("):  # what @dataclass writes itself
        raise BrokenError(f"class {case.cls.__name__} has no docstring; say in it what it does")
    if not isinstance(case.cls.paper, str):
        raise BrokenError(f"paper is {case.cls.paper!r}; write it as text")


def typed(case: Case) -> None:
    """Every parameter has a type and a default, and no two things are set otherwise."""
    fields = {name for name, _, _ in parameters(case.cls)}
    wanted = set(inspect.signature(case.cls).parameters)
    if strange := wanted - fields:
        raise BrokenError(f"'{min(strange)}' is no typed field; declare it under @dataclass")


def plain(case: Case) -> None:
    """A worker gets its specification as JSON, and no object is ever pickled."""
    text = json.dumps(case.component.model_dump(mode="json"))
    again = Component(**json.loads(text))
    made = instantiate(case.kind, again)
    for name, _, _ in parameters(case.cls):
        if getattr(made, name) != getattr(case.make(), name):
            raise BrokenError(
                f"parameter '{name}' does not survive JSON; use numbers, texts or tuples"
            )
    if case.kind == "attack":
        copy.deepcopy(made)  # each view of the shadow is learnt from by a copy


COMMON: tuple[Check[Case], ...] = (
    ("it has a card", card),
    ("parameters are typed", typed),
    ("its specification is enough, nothing is pickled", plain),
)
