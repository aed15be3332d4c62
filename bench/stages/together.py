"""A training in several processes: started here, watched here, gone when this process is gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench import errors
from bench.errors import BenchError, UsageError
from bench.files import write_atomic
from bench.stages.job import Job
from bench.stages.progress import ProgressFile

ORDER, RESULT, LOG = "order.json", "result.json", "process-{}.log"


def train_together(job: Job, processes: int) -> dict[str, Any]:
    """What the training stage gives, computed by so many processes of their own."""
    _check_devices(processes)
    folder = job.work / "processes"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    plain = asdict(replace(job, progress=_silent))
    del plain["progress"]
    (folder / ORDER).write_text(json.dumps(plain, default=str), encoding="utf-8")
    with tempfile.TemporaryDirectory() as meeting, ExitStack() as stack:
        started = []
        for rank in range(processes):
            log = stack.enter_context((folder / LOG.format(rank)).open("wb"))
            words = [sys.executable, "-m", "bench.stages.together", folder, rank, processes]
            started.append(
                subprocess.Popen(  # noqa: S603
                    [*map(str, words), f"{meeting}/rendezvous"],
                    stdout=log,
                    stderr=log,
                    env=os.environ | _places(rank, processes),
                )
            )
        stack.callback(_end, started)
        _wait(started, folder)
    told = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    job.provenance.update(told["provenance"])
    result: dict[str, Any] = told["result"]
    return result


def _check_devices(processes: int) -> None:
    import torch

    gpus = torch.cuda.device_count()
    if torch.cuda.is_available() and processes > gpus:
        raise UsageError(f"--processes {processes}: only {gpus} GPUs are visible, one a process")


def _places(rank: int, processes: int) -> dict[str, str]:
    """What accelerate and torch read of the environment."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes,
               "LOCAL_WORLD_SIZE": processes}  # fmt: skip
    here = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    if sys.platform == "linux":  # gloo looks up the host's name otherwise, which may lead nowhere
        here["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    return {name: str(number) for name, number in numbers.items()} | here


def _wait(started: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """Until all have ended well; raises what went wrong first."""
    while any(process.poll() is None for process in started):
        if any(process.poll() for process in started):
            break
        time.sleep(0.1)
    failed = [rank for rank, process in enumerate(started) if process.poll()]
    if failed:
        time.sleep(0.2)  # the others end because one has; each leaves word of when
        raise _told(folder, failed)


def _told(folder: Path, failed: list[int]) -> BaseException:
    """The error that came first, as if it had been raised here."""
    found = sorted(
        (json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("error-*.json")),
        key=lambda told: float(told["at"]),
    )
    if not found:
        log = (folder / LOG.format(failed[0])).read_text(encoding="utf-8", errors="replace")
        error: BaseException = RuntimeError(f"process {failed[0]} was killed (out of memory?)")
        error.add_note(log[-4000:])
        return error
    told = found[0]
    kind = getattr(errors, told["kind"], None)
    if isinstance(kind, type) and issubclass(kind, BenchError):
        return kind(told["message"])
    error = RuntimeError(f"{told['kind']}: {told['message']}")
    error.add_note(told["trace"])
    return error


def _end(started: list[subprocess.Popen[bytes]]) -> None:
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def main(folder: Path, rank: int, processes: int, meeting: str) -> None:
    """One of the processes."""
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()
    import torch

    from bench.stages.trained import trained

    torch.set_num_threads(1)
    if torch.cuda.is_available():
        torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=processes,
    )
    try:
        job = _read(folder, rank)
        result = trained(job)
        if rank == 0:
            told = {"result": result, "provenance": job.provenance}
            (folder / RESULT).write_text(json.dumps(told), encoding="utf-8")
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        said = {
            "at": time.time(),
            "kind": type(error).__name__,
            "message": str(error),
            "trace": traceback.format_exc(),
        }
        write_atomic(folder / f"error-{rank}.json", json.dumps(said).encode())
        os._exit(1)  # the others wait for this one, which shutting down in order would too
    torch.distributed.destroy_process_group()


def _read(folder: Path, rank: int) -> Job:
    plain = json.loads((folder / ORDER).read_text(encoding="utf-8"))
    work, out = Path(plain.pop("work")), Path(plain.pop("out"))
    inputs = {role: Path(place) for role, place in plain.pop("inputs").items()}
    progress = ProgressFile(work / "progress.json") if rank == 0 else _silent
    return Job(**plain, work=work, out=out, inputs=inputs, progress=progress)


def _silent(done: int, total: int, unit: str) -> None:
    """Progress that nobody is told."""


def _leave_with(parent: int) -> None:
    """Ends this process when the one that started it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
