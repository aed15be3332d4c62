"""States of jobs as `squeue` tells them: for clusters that keep no accounts, where `sacct` fails.

Without it submitit would wait for ever for a job that was killed or cancelled.
"""

from __future__ import annotations

import subprocess
import time

from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

SECONDS = 10
"""Between two questions to the cluster, at most."""
FORGOTTEN = 60.0
"""Seconds after which a job that the queue does not name has ended: it was cancelled or killed."""
WAITING = {"CONFIGURING", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SIGNALING",
           "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED"}  # fmt: skip
"""States that submitit takes for an end and that are none."""


class Squeue(SlurmInfoWatcher):  # type: ignore[misc]
    """Asks the queue for all jobs of this user at once."""

    def __init__(self, delay_s: int = SECONDS) -> None:
        super().__init__(delay_s)
        self._seen: dict[str, float] = {}

    def _make_command(self) -> list[str] | None:
        if not self._registered - self._finished:
            return None
        return ["squeue", "--me", "--array", "--states=all", "--noheader", "--format=%i|%T|%N"]

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """By job, what is known of it."""
        text = string if isinstance(string, str) else string.decode()
        found: dict[str, dict[str, str]] = super().read_info(f"JobID|State|NodeList\n{text}")
        for told in found.values():
            if told["State"] in WAITING:
                told["State"] = "PENDING"
        now = time.monotonic()
        for job in self._registered - self._finished:
            if job in found:
                self._seen[job] = now
            elif now - self._seen.setdefault(job, now) > FORGOTTEN:
                found[job] = {"JobID": job, "State": "GONE", "NodeList": ""}
        return found


def watch_jobs() -> None:
    """Lets submitit see ends within seconds: by accounts where the cluster keeps them."""
    asked = subprocess.run(["sacct", "-n", "-X"], capture_output=True, check=False)  # noqa: S607
    SlurmJob.watcher = SlurmInfoWatcher(SECONDS) if asked.returncode == 0 else Squeue()
