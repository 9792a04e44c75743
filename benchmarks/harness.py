"""What all benchmarks share: interleaved repeats, medians, ratios, a table and JSON."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy import sparse

from stratum_dask.demo.data import flight_tables

Row = dict[str, Any]


def timed(func: Callable[[], Any]) -> tuple[float, Any]:
    """Return the wall seconds of one call, and its result."""
    gc.collect()
    began = time.perf_counter()
    result = func()
    return time.perf_counter() - began, result


def on(argument: Any, **functions: Callable[[Any], Any]) -> dict[str, Callable[[], Any]]:
    """Return contestants that each work on the same argument."""
    return {name: partial(function, argument) for name, function in functions.items()}


def compare(contestants: Mapping[str, Callable[[], Any]], repeats: int = 5) -> dict[str, float]:
    """Time functions in turn, A B A B ..., and return each one's median in seconds.

    The order within a round alternates, so that a drift of the machine hits all alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(repeats):
        for name in names if number % 2 == 0 else reversed(names):
            seconds[name].append(timed(contestants[name])[0])
    return {name: statistics.median(values) for name, values in seconds.items()}


def flights_of(rows: int) -> pd.DataFrame:
    """Return so many flights, repeated where there are not enough."""
    flights = pd.read_csv(flight_tables() / "flights.csv")
    if rows > len(flights):
        flights = pd.concat([flights] * -(-rows // len(flights)), ignore_index=True)
    return flights.iloc[:rows].copy()


def buffers(value: Any) -> list[np.ndarray]:
    """Return the memory of a frame, a column, an array or a sparse matrix."""
    if isinstance(value, pd.DataFrame):
        return [part for i in range(value.shape[1]) for part in buffers(value.iloc[:, i])]
    if sparse.issparse(value):
        return [value.data, value.indices, value.indptr]
    if isinstance(value, pd.Series):
        if isinstance(value.dtype, pd.StringDtype):
            chunks = value.array._pa_array.iterchunks()
            parts = [part for chunk in chunks for part in chunk.buffers() if part is not None]
            return [np.frombuffer(part, np.uint8) for part in parts]
        if isinstance(value.dtype, pd.CategoricalDtype):
            return [value.cat.codes.to_numpy()]
        return [value.to_numpy()]
    return [np.asarray(value)]


def bytes_of(value: Any, *without: Any) -> int:
    """Return the size of a value, what it shares with others left out."""
    known = {array.ctypes.data for other in without for array in buffers(other)}
    return sum(array.nbytes for array in buffers(value) if array.ctypes.data not in known)


def copy_seconds(*values: Any, repeats: int = 5) -> float:
    """Return the seconds of a plain copy of values: the least that moving them can take."""
    arrays = {array.ctypes.data: array for value in values for array in buffers(value)}
    return min(
        timed(lambda: [array.copy(order="K") for array in arrays.values()])[0]
        for _ in range(repeats)
    )


def machine() -> Row:
    """Return what the figures depend on."""
    packages = ("dask", "distributed", "numpy", "pandas", "polars", "scikit-learn", "stratum_dask")
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
    }


def report(name: str, rows: list[Row], output: Path) -> None:
    """Print a benchmark's rows as a table and write them as JSON."""
    table = Table(title=name)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    for column in columns:
        table.add_column(column, justify="left" if column == "case" else "right")
    for row in rows:
        table.add_row(*(_text(row.get(column, "")) for column in columns))
    Console(width=140).print(table)
    output.mkdir(parents=True, exist_ok=True)
    target = output / f"{name}.json"
    target.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2))


def _text(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
