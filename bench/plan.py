"""What is still to compute: walks down from the wanted results to what the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.specs import Stage
from bench.store import Store


def missing(store: Store, ends: Iterable[Stage], say: Callable[[str], None]) -> list[Stage]:
    """The stages to compute for these results, inputs first.

    Every stored entry that is going to be read is checked against its digests; a corrupt one is
    set aside with one line, and computed anew.
    """
    verdict: dict[str, bool] = {}
    todo: list[Stage] = []

    def visit(stage: Stage) -> None:
        if stage.key in verdict:
            return
        verdict[stage.key] = _usable(store, stage, say)
        if not verdict[stage.key]:
            for below in stage.inputs.values():
                visit(below)
            todo.append(stage)

    for end in ends:
        visit(end)
    return todo


def _usable(store: Store, stage: Stage, say: Callable[[str], None]) -> bool:
    store.bring(stage.kind, stage.key)
    if not store.folder(stage.kind, stage.key).exists():
        return False
    flaw = store.flaw(stage)
    if flaw is None:
        return True
    with store.lock(stage.key):
        flaw = store.flaw(stage)  # another run may have mended it meanwhile
        if flaw is None:
            return True
        if not store.folder(stage.kind, stage.key).exists():
            return False
        aside = store.set_aside(stage.kind, stage.key)
    say(
        f"warning: stored {stage.kind} {stage.key[:12]} is corrupt ({flaw}); moved to {aside}, "
        "computed anew unless it is kept elsewhere"
    )
    store.bring(stage.kind, stage.key)
    return store.folder(stage.kind, stage.key).exists()
