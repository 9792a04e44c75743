"""Where tasks may run, and where they are meant to."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

from dask.system import CPU_COUNT

from stratum_dask.errors import ConfigError


class Workers(NamedTuple):
    """Where tasks may run.

    Attributes
    ----------
    names : tuple of str
        Addresses.
    threads : tuple of int
        How many tasks each runs at a time.
    machines : tuple of str
        Where each is.
    memory : tuple of float
        The bytes that each may hold.
    bandwidth : float
        Bytes per second between machines.
    latency : float
        Seconds before a value begins to arrive.
    """

    names: tuple[str, ...]
    threads: tuple[int, ...]
    machines: tuple[str, ...]
    memory: tuple[float, ...]
    bandwidth: float
    latency: float = 0.001

    @classmethod
    def alike(cls, number: int, bandwidth: float = 1e8) -> Workers:
        """Return workers with one thread and a machine each.

        Raises
        ------
        ConfigError
            If `number` is no positive integer.
        """
        if not isinstance(number, int) or number < 1:
            raise ConfigError(f"workers is {number!r}; give a number of at least one")
        names = tuple(f"worker {i}" for i in range(number))
        return cls(names, (1,) * number, names, (float("inf"),) * number, bandwidth)

    @classmethod
    def here(cls) -> Workers:
        """Return this process as one worker with a thread per core."""
        return cls(("this process",), (CPU_COUNT,), ("",), (float("inf"),), 1e8)


def nobody() -> None:
    """Say that there is no cluster."""


class Placement(NamedTuple):
    """Where and in which order tasks are meant to run.

    Attributes
    ----------
    workers : mapping of key to str
        The address of each task's worker, empty where that is left to Dask; tasks in the order in
        which they are meant to begin.
    seconds : float
        How long all of it is expected to take.
    """

    workers: Mapping[Hashable, str]
    seconds: float
