"""What changes a value besides what its task computes: settings of the process and the thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from pandas._config import using_string_dtype
from threadpoolctl import ThreadpoolController

from stratum_dask._native import digest
from stratum_dask.environment import environment

_SHOWN_ONLY = frozenset({"display", "print_changed_only"})
_OPTIONS = (
    "mode.string_storage",
    "compute.use_bottleneck",
    "compute.use_numexpr",
    "compute.use_numba",
    "future.distinguish_nan_and_na",
    "future.python_scalars",
    "future.infer_freq_returns_offset",
)


def surroundings(threads: int | None = None) -> bytes:
    """Identify the settings of the calling thread.

    Parameters
    ----------
    threads : int, optional
        How many BLAS and OpenMP threads a call may use; by default as many as it may now.

    Returns
    -------
    bytes
        16 bytes: what this process computes with (a plan's tokens say what the client computes
        with, and a worker may differ), scikit-learn's and pandas' settings, what floating-point
        errors do, and the number of inner threads, which changes last bits.
    """
    config: dict[str, Any] = sklearn.get_config()
    parts = (
        environment().name,
        threads or max((one.num_threads for one in _libraries()), default=1),
        sorted((name, value) for name, value in config.items() if name not in _SHOWN_ONLY),
        sorted(np.geterr().items()),
        [(name, pd.get_option(name)) for name in _options()],
        using_string_dtype(),  # the option itself warns when it is read
    )
    return digest(repr(parts).encode())


def surroundings_of_new_threads() -> bytes:
    """Identify the settings that a new thread starts with, such as those of Dask's scheduler."""
    with ThreadPoolExecutor(1) as fresh:
        return fresh.submit(surroundings).result()


@cache
def _libraries() -> list[Any]:
    return list(ThreadpoolController().lib_controllers)


@cache
def _options() -> tuple[str, ...]:
    """Return those options that change something: others may differ by chance."""
    known = []
    for name in _OPTIONS:
        library = name.partition("compute.use_")[2]
        if library and find_spec(library) is None:
            continue
        try:
            pd.get_option(name)
        except pd.errors.OptionError:
            continue
        known.append(name)
    return tuple(known)
