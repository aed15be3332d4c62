"""`Plugin`: one attack or defense as it was found."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.api import Attack, Defense
from bench.errors import UsageError
from bench.parameters import parameters

Kind = Literal["attack", "defense"]
PLURAL = {"attack": "attacks", "defense": "defenses"}
BASES: dict[str, type] = {"attack": Attack, "defense": Defense}
NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Plugin:
    """One attack or defense class, or the file that failed to give one."""

    kind: Kind
    name: str
    path: Path
    cls: type | None = None
    error: str | None = None
    shipped: bool = False
    package: str = ""
    """The installed package that brings it, with its version."""
    attribute: str = ""
    """Of one that is installed and not yet loaded: its class, as the entry point names it."""

    @property
    def origin(self) -> str:
        """`shipped`, the package that brings it, or its file."""
        return "shipped" if self.shipped else self.package or str(self.path)

    @property
    def summary(self) -> str:
        """First line of the docstring, or of the error."""
        text = self.error or (self.cls.__doc__ if self.cls else _docstring(self)) or ""
        return text.strip().splitlines()[0] if text.strip() else ""

    def usable(self) -> type[Any]:
        """The class; UsageError if the file gave none."""
        if self.cls is None:
            raise UsageError(
                f"{self.kind} '{self.name}' cannot be loaded: {self.error} ({self.path}); "
                "mend it or install what it needs"
            )
        return self.cls

    def params(self) -> list[tuple[str, str, Any]]:
        """(name, type, default) of every parameter."""
        if self.cls is None:
            return []
        return parameters(self.usable())


def _docstring(plugin: Plugin) -> str | None:
    """The class's docstring, read from the source without importing it."""
    try:
        tree = ast.parse(plugin.path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return next((ast.get_docstring(c) for c in classes if c.name == plugin.attribute), None)
