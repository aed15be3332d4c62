"""What verbs that compute share: the store, what is said on the way, and the work itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BudgetError
from bench.logs import log

if TYPE_CHECKING:
    from bench.errors import BenchError
    from bench.executors.executor import Executor
    from bench.specs import Stage
    from bench.store import Store


def open_store(folder: Path | None) -> Store:
    """The store in this folder; by default the user's."""
    from bench.paths import expanded
    from bench.store import Store, default_root

    return Store(expanded(folder or default_root()).resolve())


def tell(line: str) -> None:
    """Says something beside the results."""
    log.info(line)


def compute(
    store: Store, ends: list[Stage], executor: Executor, means: Mapping[str, Any] | None = None
) -> list[tuple[str, BenchError]]:
    """Computes what is missing; what failed in words, and why. So is a budget that is spent."""
    from bench.cli.progress import Display
    from bench.estimates import Estimator
    from bench.executors.executor import run as run_stages
    from bench.naming import label
    from bench.plan import missing

    store.sweep()
    stages = missing(store, ends, tell)
    if not stages:
        return []
    _check_devices(stages)
    try:
        with Display(store, stages) as display:
            errors = run_stages(
                stages, store, executor, display, means,
                apart=_foreign(stages), seconds=Estimator(store).seconds,
            )  # fmt: skip
    except BudgetError as error:
        return [("stopped", error)]
    return [(label(stage), errors[stage.key]) for stage in stages if stage.key in errors]


def _foreign(stages: list[Stage]) -> bool:
    """Whether a plugin has a part in them that is not shipped, and might end its process."""
    from bench.plugins import shipped_folder

    homes = {shipped_folder("attack"), shipped_folder("defense")}
    hints = [stage.hints for stage in stages]
    paths = [one["attack"] for one in hints if "attack" in one]
    paths += [path for one in hints for path in one.get("defense", ())]
    return any(Path(path).parent not in homes for path in paths)


def _check_devices(stages: list[Stage]) -> None:
    """Whether what is to be trained can be trained here, before anything is computed."""
    from bench.training.engine import check_precision
    from bench.training.recipe import Recipe

    recipes = [Recipe(**stage.params["recipe"]) for stage in stages if stage.kind == "train"]
    halved = [recipe for recipe in recipes if recipe.precision == "fp16"]
    if halved:
        import torch

        check_precision(halved[0], "cuda" if torch.cuda.is_available() else "cpu")
