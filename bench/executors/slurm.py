"""Runs stages as jobs of a Slurm cluster through submitit: arrays, time limits, requeueing.

The store must lie on a file system that all nodes share. A job that is told that its time is up, or
that it is preempted, is queued again and goes on from its checkpoint.
"""

from __future__ import annotations

import itertools
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.executors.engine import DiedError, Ended, Orders
from bench.executors.needs import Needs
from bench.executors.work import LEAVING, attempt_all

POLL = 1.0
"""Seconds between two looks at which jobs have ended."""
LONGER = 3.0
"""How many times its estimate a stage may take before its job is stopped and queued again."""
SHORTEST = 30
"""Minutes that a job is given at least; longer ones get twice, four times, ... as much."""
TIMES = 1000
"""How often a job may run out of its time and be queued again."""


class Task:
    """What a job does. Stopped by the cluster, the same order is queued again."""

    def __call__(self, root: Path, orders: Orders) -> Ended:
        return attempt_all(root, orders)

    def checkpoint(self, root: Path, orders: Orders) -> Any:
        """Called by submitit when the cluster wants the job to end; the training has its own."""
        from submitit.helpers import DelayedSubmission

        LEAVING.set()
        return DelayedSubmission(self, root, orders)


class Slurm:
    """Jobs by submitit; `slurm` are its parameters, `cluster=local` runs them here instead."""

    def __init__(self, slots: int, slurm: Mapping[str, str], gigabytes: float | None) -> None:
        self.slots, self._gigabytes = slots, gigabytes
        self._given = {name: _typed(value) for name, value in slurm.items()}
        self._cluster = self._given.pop("cluster", "slurm")
        self._waiting: list[tuple[Future[Ended], Path, Orders, Needs]] = []
        self._jobs: dict[Future[Ended], Any] = {}
        self._ended = threading.Event()
        self._executor: Any = None
        self._folder = Path()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, root: Path, orders: Orders, needs: Needs) -> Future[Ended]:
        """Waits for `flush`, since orders that need the same become one array."""
        if self._executor is None:
            # New for each run: numbers of jobs recur, and with them old results would.
            self._folder = root / "jobs" / secrets.token_hex(8)
            self._executor = _executor(self._folder, self._cluster)
        future: Future[Ended] = Future()
        self._waiting.append((future, root, orders, needs))
        return future

    def flush(self) -> None:
        def shape(one: tuple[Future[Ended], Path, Orders, Needs]) -> tuple[int, int, int]:
            needs = one[-1]
            return needs.devices, needs.cores, _minutes(needs.seconds)

        waiting, self._waiting = sorted(self._waiting, key=shape), []
        for (devices, cores, minutes), group in itertools.groupby(waiting, key=shape):
            together = list(group)
            with _refusals_told():
                self._executor.update_parameters(**self._parameters(devices, cores, minutes))
                with self._executor.batch():
                    jobs = [self._executor.submit(Task(), root, list(orders))
                            for _, root, orders, _ in together]  # fmt: skip
            self._jobs |= {one[0]: job for one, job in zip(together, jobs, strict=True)}

    def renew(self) -> int | None:
        """Slurm looks after its own nodes."""
        return None

    def abandon(self) -> None:
        for job in list(self._jobs.values()):
            job.cancel(check=False)
        self.end()

    def end(self) -> None:
        self._ended.set()
        if self._executor is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _parameters(self, devices: int, cores: int, minutes: int) -> dict[str, Any]:
        found: dict[str, Any] = {"name": "bench", "cpus_per_task": cores, "timeout_min": minutes}
        if self._gigabytes is not None:
            found["mem_gb"] = self._gigabytes
        # Only where devices were asked for: a cluster without any refuses jobs that name them.
        given = dict(self._given)
        each = given.pop("gpus_per_node", 0)
        if each and devices:
            found["gpus_per_node"] = max(int(each), devices)
        return found | given

    def _watch(self) -> None:
        while not self._ended.wait(POLL):
            for future, job in list(self._jobs.items()):
                if job.done():
                    del self._jobs[future]
                    _pass_on(job, future)


def _pass_on(job: Any, future: Future[Ended]) -> None:
    try:
        future.set_result(job.result())
    except Exception as error:  # noqa: BLE001 - the job's, whatever it was
        said = (str(error) or type(error).__name__).strip().splitlines()[0]
        future.set_exception(DiedError(said=f"job {job.job_id} ended without a result ({said})"))


def _minutes(seconds: float) -> int:
    """A time limit with room, of few different ones so that jobs make arrays."""
    minutes = SHORTEST
    while minutes * 60 < seconds * LONGER:
        minutes *= 2
    return minutes


def _typed(value: str) -> Any:
    return int(value) if value.isdecimal() else value


@contextmanager
def _refusals_told() -> Iterator[None]:
    """Parameters that submitit does not know or the cluster does not grant, in one line."""
    from submitit.core.utils import FailedJobError

    try:
        yield
    except (FailedJobError, NameError, TypeError, ValueError) as error:
        lines = [line for line in str(error).splitlines() if "error:" in line]
        said = (lines or str(error).strip().splitlines() or ["no reason given"])[0]
        raise UsageError(
            f"--slurm: {said.strip()}; say what this cluster grants (sinfo), in submitit's names "
            "(slurm_partition, slurm_account, timeout_min, ...)"
        ) from None


def _executor(folder: Path, cluster: str) -> Any:
    try:
        import submitit
    except ImportError:
        raise UsageError(
            "--executor slurm needs submitit: pip install 't2i-defense-bench[slurm]'"
        ) from None
    of_cluster = {"slurm_max_num_timeout": TIMES} if cluster == "slurm" else {}
    try:
        made = submitit.AutoExecutor(folder=folder, cluster=cluster, **of_cluster)
    except (RuntimeError, ValueError, KeyError) as error:
        raise UsageError(
            f"--executor slurm: {str(error).splitlines()[0]}; is sbatch on this machine's path?"
        ) from None
    if cluster == "slurm":
        from bench.executors.squeue import watch_jobs

        watch_jobs()
    return made
