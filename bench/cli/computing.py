"""What verbs that compute share: the store, what is said on the way, and the work itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BudgetError, UsageError
from bench.files import full_disk_is_told
from bench.logs import log

if TYPE_CHECKING:
    from bench.errors import BenchError
    from bench.executors.executor import Executor
    from bench.mirror import Mirror
    from bench.specs import Stage
    from bench.store import Store


def open_store(place: str | Path | None, *, made: bool = True) -> Store:
    """The store in this folder, made if need be, or at this URL; by default the user's."""
    from bench.paths import expanded
    from bench.remote import is_url
    from bench.store import Store, default_root

    said = place or os.environ.get("BENCH_STORE") or default_root()
    if is_url(said):
        from bench.mirror import Mirror

        return Mirror(str(said))
    return Store(expanded(said).resolve(), made=made)


def read_store(place: str | None) -> Store:
    """The same for who only reads: no right to write is needed, UsageError where no folder is."""
    store = open_store(place, made=False)
    if (named := place or os.environ.get("BENCH_STORE")) and not store.root.is_dir():
        raise UsageError(f"--store {named}: no such folder; name the one that `bench run` filled")
    return store


def check_folder(place: str | None, verb: str) -> None:
    """UsageError for a URL, for verbs that need a folder."""
    from bench.remote import is_url

    if is_url(said := place or os.environ.get("BENCH_STORE") or ""):
        raise UsageError(
            f"{verb} --store {said}: needs a folder; a bucket is open to other sites as it is"
        )


def tell(line: str) -> None:
    """Says something beside the results."""
    log.info(line)


def compute(
    store: Store, ends: list[Stage], executor: Executor, means: Mapping[str, Any] | None = None
) -> list[tuple[str, BenchError]]:
    """Computes what is missing; what failed in words, and why. So is a budget that is spent.

    What is finished goes to the bucket of a store that has one, from this process alone.
    """
    from bench.mirror import Mirror

    with full_disk_is_told(store.root):
        if not isinstance(store, Mirror):
            return _computed(store, ends, executor, means)
        return _computed_and_sent(store, ends, executor, means)


def _computed_and_sent(
    store: Mirror, ends: list[Stage], executor: Executor, means: Mapping[str, Any] | None
) -> list[tuple[str, BenchError]]:
    from bench.sending import Sender
    from bench.specs import walked

    sender = Sender(store)
    try:
        errors = _computed(store, ends, executor, means, sender.done)
    except BaseException:
        sender.abandon()
        raise
    unsent = sender.finish(walked(ends))
    return [*errors, (f"store {store.label}", unsent)] if unsent else errors


def _computed(
    store: Store,
    ends: list[Stage],
    executor: Executor,
    means: Mapping[str, Any] | None,
    done: Callable[[Stage], None] = lambda stage: None,
) -> list[tuple[str, BenchError]]:
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
    here = in_folder(store)
    try:
        with Display(here, stages, done) as display:
            errors = run_stages(
                stages, here, executor, display, means,
                apart=_foreign(stages), seconds=Estimator(here).seconds,
            )  # fmt: skip
    except BudgetError as error:
        failed = [(label(one), error.failed[one.key]) for one in stages if one.key in error.failed]
        return [*failed, ("stopped", error)]
    return [(label(stage), errors[stage.key]) for stage in stages if stage.key in errors]


def in_folder(store: Store) -> Store:
    """Its folder alone, which has all that was asked for, whatever became of the bucket."""
    from bench.store import Store

    return Store(store.root)


def leave_note(store: Store, run: str) -> None:
    """What was asked of a store in a bucket, for others to see."""
    from bench.mirror import Mirror

    if isinstance(store, Mirror):
        store.send_note(run)


def leave_log(store: Store, run: str) -> None:
    """The same for what was said."""
    from bench.mirror import Mirror

    if isinstance(store, Mirror):
        store.send_log(run)


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
