"""Foreign files are tried in a process of their own before this one loads them.

An import that never ends, or that ends its process, would otherwise take `bench list` with it. What
ended well is remembered by its content: a file is tried once, not at every command.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from bench import __version__
from bench.errors import UsageError
from bench.plugins.loading import load_file
from bench.plugins.plugin import Kind, Plugin

SECONDS = "BENCH_PLUGIN_SECONDS"
"""Environment variable: how long the import of a foreign file may take."""
USUAL = 20.0
TRY = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1])\n"
    "from pathlib import Path; from bench.plugins.loading import load_file\n"
    "for kind in ('attack', 'defense'): load_file(kind, Path(sys.argv[2]))\n"
    "os._exit(77)"
)
ENDED = 77
"""Exit code of an import that came to its end; a plugin may leave with any other, 0 too."""


def load_foreign(kind: Kind, path: Path) -> list[Plugin]:
    """`load_file` of a file that is not shipped; one entry with an error if it does not load."""
    error = refused(path)
    return (
        [Plugin(kind, path.stem, path.resolve(), error=error)] if error else load_file(kind, path)
    )


def refused(path: Path) -> str | None:
    """Why the file must not be imported here; None if it may (exceptions are told on loading)."""
    place = path.resolve()
    try:
        return _tried(place, _digest(place))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


@cache
def _tried(path: Path, digest: str) -> str | None:
    note = _notes() / digest
    if note.exists():
        return None
    seconds = _limit()
    command = [sys.executable, "-P", "-c", TRY, json.dumps(sys.path), str(path)]
    # A session of its own: whatever the import starts is ended with it. No pipe is waited for.
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            return f"its import did not end within {seconds:g} s ({SECONDS} sets another limit)"
        finally:
            _end(child)
    if code != ENDED:
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"its import ended the process {how}"
    _remember(note)
    return None


def _limit() -> float:
    given = os.environ.get(SECONDS)
    try:
        seconds = USUAL if given is None else float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise UsageError(f"{SECONDS}={given}: write a number of seconds above 0")
    return seconds


def _end(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()
    child.wait()


def _digest(path: Path) -> str:
    """What an import is known by: the file's content, its place, the interpreter, the suite."""
    digest = hashlib.sha256("\0".join([sys.version, sys.prefix, __version__, str(path)]).encode())
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _notes() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("t2i-defense-bench") / "plugins"


def _remember(note: Path) -> None:
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    except OSError:  # no such folder may be written here: the file is tried again next time
        return
