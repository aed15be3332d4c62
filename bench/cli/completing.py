"""What a shell offers after a flag: names of what there is, found without torch.

Shells are set up by `bench --install-completion`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

LAST = re.compile(r"(?P<before>(?:.*\+)?)(?P<begun>[^+\[\]]*)")
"""Of `del1+caption_dr` the part that is being typed."""


def attacks(incomplete: str) -> list[str]:
    """Names of attacks, and `all`."""
    return _begun(["all", *_names("attack")], incomplete)


def defenses(incomplete: str) -> list[str]:
    """Names of defenses, and `all`; after a `+` the next one."""
    match = LAST.fullmatch(incomplete)
    if match is None:
        return []
    found = _begun(["all", *_names("defense")], match["begun"])
    return [match["before"] + name for name in found]


def data(incomplete: str) -> list[str]:
    """Names of data sets; of those that need a place, the word before it."""
    from bench.data.sources import list_sources

    names = [source.name for source in list_sources() if "=" not in source.name.partition("[")[0]]
    begun = [re.sub(r"(?<=:)[A-Z].*|\[.*", "", name) for name in names]
    return _begun(begun, incomplete)


def recipes(incomplete: str) -> list[str]:
    """Names of recipes."""
    from bench.training.recipe import RECIPES

    return _begun(RECIPES, incomplete)


def shown(incomplete: str) -> list[str]:
    """What `bench show` knows: attacks, defenses, recipes and data cards."""
    from bench.data.cards import CARDS

    return _begun([*_names("attack"), *_names("defense"), *recipes(""), *CARDS], incomplete)


def _names(kind: Literal["attack", "defense"]) -> list[str]:
    from bench.plugins import discover

    return [plugin.name for plugin in discover(kind) if plugin.cls]


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
