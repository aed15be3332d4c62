r"""The cached steps of a cell, one file each: every `run(job)` is a function of its specification.

split -> train -> features -> scores --+
             \-> samples -> utility ---+-> metrics
real ----------------------/
blind, duplicates ---------/
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from bench.stages.job import Job

Run = Callable[[Job], dict[str, Any]]


def stage_function(kind: str) -> Run:
    """The function that computes a kind of stage; imported only when one is computed."""
    return cast(Run, import_module(f"bench.stages.{kind}").run)
