"""Runs stages as tasks of a Ray cluster, which places them and starts lost ones again.

The store must lie on a file system that all nodes share, and this package must be installed on
each, at the same place.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.executors.engine import DiedError, Ended, Orders
from bench.executors.needs import Needs
from bench.executors.work import attempt_all
from bench.logs import log

RESOURCES = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
"""Of a task, as its options and as nodes name them."""
RETRIES = 3
"""How often Ray starts a task again whose worker or node has died."""


class Ray:
    """A cluster that this process is connected to, or one of this machine alone."""

    def __init__(self, slots: int, address: str | None, gigabytes: float | None) -> None:
        self.slots, self._gigabytes = slots, gigabytes
        self._ray = _connected(address)
        self._task = self._ray.remote(attempt_all)
        self._devices = self._ray.cluster_resources().get("GPU", 0)
        self._refs: dict[Future[Ended], Any] = {}
        self._alone, self._told = address is None, set[str]()

    def submit(self, root: Path, orders: Orders, needs: Needs) -> Future[Ended]:
        """As a task that asks for what the stage needs; of plain JSON, no plugin is pickled."""
        options: dict[str, Any] = {"num_cpus": needs.cores, "name": needs.label}
        if self._devices:
            options["num_gpus"] = needs.devices
        if self._gigabytes is not None:
            options["memory"] = int(self._gigabytes * 1e9)
        self._tell_what_no_node_has(options)
        ref = self._task.options(max_retries=RETRIES, **options).remote(root, list(orders))
        future: Future[Ended] = Future()
        self._refs[future] = ref
        ref.future().add_done_callback(lambda ended: self._pass_on(ended, future))
        return future

    def _tell_what_no_node_has(self, options: dict[str, Any]) -> None:
        """Ray waits for a larger node, which a cluster may start and this machine cannot."""
        asked = {RESOURCES[name]: wanted for name, wanted in options.items() if name in RESOURCES}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(node.get(k, 0) >= n for k, n in asked.items()) for node in nodes):
            return
        said = ", ".join(f"{n / 1e9:g} GB" if k == "memory" else f"{n} {k}"
                         for k, n in asked.items() if n)  # fmt: skip
        told = (f"no node of the Ray cluster has {said}, which --processes and --max-memory ask "
                "for")  # fmt: skip
        if self._alone:
            raise UsageError(f"{told}; ask for less")
        if said not in self._told:
            self._told.add(said)
            log.info("warning: %s; waiting until one joins", told)

    def flush(self) -> None:
        """Nothing waits: a task is Ray's when it is submitted."""

    def renew(self) -> int | None:
        """Ray renews its workers by itself."""
        return None

    def abandon(self) -> None:
        try:
            for ref in list(self._refs.values()):  # a thread of Ray's takes some out meanwhile
                self._ray.cancel(ref, force=True)
        finally:
            self._ray.shutdown()

    def end(self) -> None:
        self._ray.shutdown()

    def _pass_on(self, ended: Future[Ended], future: Future[Ended]) -> None:
        self._refs.pop(future, None)
        error = ended.exception()
        if error is None:
            future.set_result(ended.result())
        else:
            said = (str(error) or type(error).__name__).splitlines()[0]
            future.set_exception(DiedError(said=f"Ray gave it up ({said})"))


def _connected(address: str | None) -> Any:
    """The package, connected; UsageError where it is not installed or nobody answers."""
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--executor ray needs Ray: pip install 't2i-defense-bench[ray]', on every node"
        ) from None
    quiet = {"log_to_driver": False, "logging_level": "error", "include_dashboard": False}
    if address is not None:
        del quiet["include_dashboard"]
    try:
        ray.init(address=address or "local", **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"--address {address}: {str(error).splitlines()[0]}; say HOST:PORT of a cluster that "
            "runs (`ray status` shows it), or auto for the one of this machine"
        ) from None
    return ray
