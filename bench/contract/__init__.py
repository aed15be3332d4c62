"""The contract of attacks and defenses, checked on a model of a megabyte.

`bench test PLUGIN` prints what is found; a test of a plugin says

    from bench.contract import broken
    assert broken("attack", "mine.py") == []
"""

from __future__ import annotations

from bench.contract.outcome import Outcome
from bench.contract.suite import broken, outcomes

__all__ = ["Outcome", "broken", "outcomes"]
