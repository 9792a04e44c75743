"""Reading CSV: ours, pandas itself and Arrow's reader, on all cores and on one.

Besides the flights, tables of one kind of cells each: what takes longest to read. Ours and pandas'
frames are compared bit by bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow.csv

from benchmarks.harness import Row, compare, flights_of, on
from stratum_dask.demo.data import flight_tables
from stratum_dask.ops.csv import read_csv


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def arrow(path: Path) -> pd.DataFrame:
    """Read with Arrow's inference of types."""
    return pyarrow.csv.read_csv(path).to_pandas()


def on_one_core(read: Callable[[Path], pd.DataFrame]) -> Callable[[Path], pd.DataFrame]:
    """Return a reader that uses one core."""

    def call(path: Path) -> pd.DataFrame:
        with one_core():
            return read(path)

    return call


def tables(rows: int) -> Iterator[tuple[str, pd.DataFrame, dict[str, int]]]:
    """Yield tables of one kind of cells, with how they are to be written."""
    numbers = np.random.default_rng(0)
    columns = list("abcdefgh")
    yield "floats of 17 digits", pd.DataFrame(numbers.normal(size=(rows, 8)), columns=columns), {}
    decimals = numbers.integers(-10_000, 10_000, (rows, 8)) / 100
    yield "decimals", pd.DataFrame(decimals, columns=columns), {}
    large = numbers.integers(-(10**12), 10**12, (rows, 8))
    yield "integers of 12 digits", pd.DataFrame(large, columns=columns), {}
    half = np.where(numbers.random((rows, 8)) < 0.5, np.nan, decimals)
    yield "half of all cells empty", pd.DataFrame(half, columns=columns), {}
    words = np.array([f"some text, {i}" for i in range(1_000)])
    text = {name: words[numbers.integers(0, 1_000, rows)] for name in columns[:4]}
    yield "text in quotes", pd.DataFrame(text), {"quoting": 1}
    for count in (1_000, 20_000):
        yield f"{count:,} flights", flights_of(count), {}


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two frames have the same bits."""
    if not one.columns.identical(other.columns) or [*one.dtypes] != [*other.dtypes]:
        return False
    return all(
        one[name].array._pa_array.equals(other[name].array._pa_array)
        if one[name].dtype == "str"
        else one[name].to_numpy().tobytes() == other[name].to_numpy().tobytes()
        for name in one
    )


def run(full: bool = False) -> list[Row]:
    """Read each table in each way."""
    rows: list[Row] = []
    with TemporaryDirectory() as directory:
        paths = {"flights": flight_tables() / "flights.csv"}
        for name, table, options in tables(200_000 if full else 50_000):
            paths[name] = Path(directory) / f"{name}.csv"
            table.to_csv(paths[name], index=False, **options)
        for name, path in paths.items():
            ways = {"all cores": lambda read: read, "one core": on_one_core}
            for cores, way in ways.items():
                contestants = on(path, ours=way(read_csv), pandas=way(pd.read_csv))
                if name == "flights":
                    contestants |= on(path, arrow=way(arrow))
                seconds = compare(contestants, 15 if full else 7)
                row: Row = {"case": f"{name}, {cores}", "MB": path.stat().st_size / 1e6}
                row |= {f"{reader} ms": taken * 1e3 for reader, taken in seconds.items()}
                row["against pandas"] = seconds["pandas"] / seconds["ours"]
                row["bits"] = "equal" if same(read_csv(path), pd.read_csv(path)) else "DIFFER"
                rows.append(row)
    return rows
