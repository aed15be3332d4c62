"""Which stages may be computed now: those whose inputs are stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from bench.specs import Stage

Group = dict[str, Stage]
"""Stages that share a model or a fitted attack, by key."""


class Frontier:
    """The stages that are left; each step costs what the stage has to do with others."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._left = {stage.key: stage for stage in stages}
        self._waits = {
            stage.key: len({below.key for below in stage.inputs.values()} & self._left.keys())
            for stage in stages
        }
        self._readers: dict[str, list[Stage]] = {}
        for stage in stages:
            for key in {below.key for below in stage.inputs.values()} & self._left.keys():
                self._readers.setdefault(key, []).append(stage)
        self._awaited = Counter(stage.shared_by for stage in stages)
        """How many of a group are not ready yet."""
        self._trainings: dict[str, Group] = {}
        self._others: dict[str, Group] = {}
        for stage in stages:
            self._see(stage)

    def __bool__(self) -> bool:
        return bool(self._left)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self._left.values())

    def ready(self) -> Iterator[Stage]:
        """What may start, one by one; trainings last, which may take hours."""
        for group in chain(self._others.values(), self._trainings.values()):
            yield from group.values()

    def groups(
        self, most: int, refused: Callable[[list[Stage]], bool], *, idle: bool
    ) -> list[list[Stage]]:
        """No more than so many to hand out, trainings first since everything waits for them.

        One waits for what will share its model, unless nothing else goes on (`idle`).
        """
        whole: list[list[Stage]] = []
        part: list[Group] = []
        for name, group in chain(self._trainings.items(), self._others.items()):
            if len(whole) >= most:
                break
            if self._awaited[name]:
                part.append(group)
            elif not refused(found := _ordered(group)):
                whole.append(found)
        if whole or not idle:
            return whole
        rest = (_ordered(group) for group in part)
        return [group for group in rest if not refused(group)][:most]

    def take(self, together: Sequence[Stage]) -> None:
        """These are being computed."""
        for stage in together:
            kind = self._of(stage)
            del kind[stage.shared_by][stage.key]
            if not kind[stage.shared_by]:
                del kind[stage.shared_by]
            del self._left[stage.key]

    def give_back(self, stage: Stage) -> None:
        """It was taken, and is to be computed after all."""
        self._left[stage.key] = stage
        self._awaited[stage.shared_by] += 1
        self._see(stage)

    def stored(self, stage: Stage) -> None:
        """It is in the store; what waited for it may be ready."""
        if stage.key in self._left:
            self.take([stage])
        for reader in self._readers.pop(stage.key, ()):
            if reader.key in self._left:
                self._waits[reader.key] -= 1
                self._see(reader)

    def drop(self, stage: Stage) -> None:
        """It will not be computed, nor will what stands on it."""
        todo = [stage]
        while todo:
            one = todo.pop()
            todo += self._readers.pop(one.key, ())
            if one.key in self._left:
                if self._waits[one.key]:
                    self._awaited[one.shared_by] -= 1
                    del self._left[one.key]
                else:
                    self.take([one])

    def _see(self, stage: Stage) -> None:
        if not self._waits[stage.key]:
            self._awaited[stage.shared_by] -= 1
            self._of(stage).setdefault(stage.shared_by, {})[stage.key] = stage

    def _of(self, stage: Stage) -> dict[str, Group]:
        return self._trainings if stage.kind == "train" else self._others


def _ordered(group: Group) -> list[Stage]:
    """Those that compare predictions first: the losses of the others follow from these."""
    return sorted(group.values(), key=_compares, reverse=True)


def _compares(stage: Stage) -> bool:
    return any(role.startswith("reference") for role in stage.inputs)
