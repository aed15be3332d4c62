"""Sends finished stages to the bucket of a store while others are computed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from bench.errors import BenchError, UnsentError
from bench.logs import log
from bench.mirror import Mirror
from bench.specs import Stage

AT_ONCE = 2
"""Stages; each is sent a file at a time."""


class Sender:
    """What fails to be sent stays here, and the next run of the same command sends it."""

    def __init__(self, store: Mirror) -> None:
        self._store, self._sent = store, dict[str, Future[bool]]()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sending")

    def done(self, stage: Stage) -> None:
        """A stage was finished: it is sent in the background."""
        if stage.key not in self._sent:
            self._sent[stage.key] = self._pool.submit(self._store.send, stage.kind, stage.key)

    def finish(self, stages: Iterable[Stage]) -> UnsentError | None:
        """Waits, then sends what is here of these and not there; UnsentError if some is left."""
        waiting = [one for one in self._sent.values() if not one.done()]
        if waiting:
            log.info("sending %d finished stages to %s", len(waiting), self._store.label)
        self._pool.shutdown()
        here = [stage for stage in stages if self._store.has_here(stage)]
        left = [stage for stage in here if not self._arrived(stage)]
        for number, stage in enumerate(left):
            try:
                self._store.send(stage.kind, stage.key)
            except BenchError as error:
                return UnsentError(
                    f"{len(left) - number} finished stages are in {self._store.root} and not sent: "
                    f"{error}, which sends them"
                )
        return None

    def abandon(self) -> None:
        """Gives up what has not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _arrived(self, stage: Stage) -> bool:
        sent = self._sent.get(stage.key)
        return sent is not None and sent.exception() is None
