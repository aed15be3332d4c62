"""A real Slurm on this machine for the tests: a controller and two nodes, no accounting.

Everything is its own (ports, key, sockets, state): it disturbs no other Slurm, and several may run
at once. The nodes have four CPUs and a GPU each in name only: who runs where is Slurm's word, and
that is what the tests ask about.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "setpriv")
PACKAGES = "slurmctld slurmd slurm-client munge"
CONF = Path(__file__).with_name("slurm.conf")
NODES = ("n1", "n2")


def available() -> str | None:
    """Why no cluster can be started here; None where one can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "Slurm's daemons are started as root only"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"no {', '.join(missing)}; apt-get install -y {PACKAGES}" if missing else None


class SlurmCluster:
    """Runs from `with` to its end, while this thread lives; SLURM_CONF names its configuration.

    The folder's path must be short: there are sockets in it, whose paths hold 107 characters.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.conf = self.folder / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._before: str | None = None

    def __enter__(self) -> Self:
        self._write()
        self._before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(self.conf)
        try:
            self._start("munged", *self._munge())
            self._wait((self.folder / "munge.socket").exists)
            self._start("slurmctld", "slurmctld", "-D")
            for node in NODES:
                self._start(node, "slurmd", "-D", "-N", node)
            self._wait(lambda: len(self.ask("sinfo", "-h", "-p", "all", "-N", "-t", "idle")) == 2)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("scancel", "--signal=KILL", "--full", "--me")
        self.ask("scancel", "--me")
        self._wait(lambda: not self.ask("squeue", "-h", "--me"), must=False, seconds=10)
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        while left := self.left():  # what a job has put out of Slurm's sight
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.02)
        if self._before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = self._before

    def ask(self, *command: str) -> list[str]:
        """The lines that one of Slurm's commands prints; none where it fails."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.split("\n")[:-1] if done.returncode == 0 else []

    def state(self, job: str) -> str:
        """Slurm's word for a job, which it keeps for five minutes after the job's end."""
        return "".join(self.ask("squeue", "-h", "-t", "all", "-o", "%T", "-j", job))

    def left(self) -> list[int]:
        """Processes that were started in this cluster, but for this one."""
        mark, found = f"SLURM_CONF={self.conf}\0".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes() and int(process.name) != os.getpid():
                    found.append(int(process.name))
            except OSError:  # it has ended
                continue
        return found

    def _write(self) -> None:
        (self.folder / "state").mkdir(parents=True)
        host = socket.gethostname().partition(".")[0]
        text = CONF.read_text().format(folder=self.folder, host=host, ports=_free_ports(3))
        self.conf.write_text(text)
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))

    def _munge(self) -> list[str]:
        places = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        # By force, since a folder of the tests is closed to other users, which munged finds odd.
        options = [f"--{option}={self.folder}/munge.{end}" for option, end in places.items()]
        return ["munged", "--foreground", "--force", *options]

    def _start(self, name: str, *command: str) -> None:
        """A daemon that ends with us, however that is."""
        with (self.folder / f"{name}.out").open("wb") as out:
            words = ["setpriv", "--pdeathsig", "TERM", *command]
            self._daemons[name] = subprocess.Popen(words, stdout=out, stderr=out)

    def _wait(self, true, *, must: bool = True, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not true():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > end:
                if must:
                    raise RuntimeError(f"Slurm did not start ({ended} ended): {self._tails()}")
                return
            time.sleep(0.05)

    def _tails(self) -> str:
        return "\n".join(
            f"{out.name}: {out.read_text()[-1000:]}" for out in self.folder.glob("*.out")
        )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
