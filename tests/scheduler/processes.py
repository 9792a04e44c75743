"""A cluster whose scheduler and workers are processes of their own, which tests may kill."""

from __future__ import annotations

import socket

import distributed.cli.dask_scheduler
import distributed.cli.dask_worker
import sklearn.tree  # noqa: F401  # imported once, where the processes are forked

import stratum_dask.scheduler.plugin
import stratum_dask.store.access  # noqa: F401
from tests.forks import CONTEXT

PROGRAMS = {
    "scheduler": distributed.cli.dask_scheduler.main,
    "worker": distributed.cli.dask_worker.main,
}


def run(program, arguments):
    """Run one of Dask's programs."""
    PROGRAMS[program](arguments)


class Cluster:
    """A scheduler on a port, and two workers that end when it does; all of them processes."""

    def __init__(self):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = str(one.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes = []

    def start(self):
        preload = ("--preload", "stratum_dask.scheduler")
        self.run("scheduler", "--host", "127.0.0.1", "--port", self.port, *preload)
        for _ in range(2):
            self.run("worker", self.address, "--nthreads", "1", "--no-nanny")

    def run(self, program, *arguments):
        arguments = [*arguments, "--no-dashboard"]
        self.processes.append(CONTEXT.Process(target=run, args=(program, arguments)))
        self.processes[-1].start()

    def kill(self):
        self.processes[-3].kill()

    def replace(self):
        """Let another scheduler take over."""
        self.kill()
        self.start()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        for one in self.processes:
            one.kill()
            one.join()
