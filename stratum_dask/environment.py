"""What a process computes with: values are shared only between processes in which it is equal."""

from __future__ import annotations

import asyncio
import json
import platform
from functools import cache
from importlib import metadata
from typing import NamedTuple

import threadpoolctl

from stratum_dask.literals import digest
from stratum_dask.numeric_class import numeric_class

_LIBRARIES = (
    "stratum_dask",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "pyarrow",
    "lightgbm",
    "xgboost",
    "xgboost-cpu",
    "catboost",
)


class Environment(NamedTuple):
    """What the values that a process makes depend on besides their tasks.

    Attributes
    ----------
    name : str
        Hash of the numeric class and of the versions of Python and libraries.
    threads : int
        Inner threads of a task that limits none: they change last bits, too.
    """

    name: str
    threads: int


@cache
def environment() -> Environment:
    """Return the environment of this process.

    Examples
    --------
    >>> environment() == environment()
    True
    """
    versions = [(name, _version(name)) for name in ("python", *_LIBRARIES)]
    pools = [one["num_threads"] for one in threadpoolctl.threadpool_info()]
    name = digest(numeric_class() + repr(versions).encode()).hex()
    return Environment(name, max(pools, default=1))


def _version(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


async def report() -> str:
    """Return the environment of a worker as JSON, without keeping its event loop."""
    return json.dumps(await asyncio.to_thread(environment))
