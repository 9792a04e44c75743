"""Reading the flights as CSV: pandas itself, on all cores and on one, and Arrow's reader.

There is no native reader to measure: this says what one would have to beat. Arrow's frames are
compared with pandas' dtype by dtype, since a replacement would have to give the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow.csv

from benchmarks.harness import Row, compare, on
from stratum_dask.demo.data import flight_tables


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


def arrow(path: Path, threads: bool) -> pd.DataFrame:
    """Read with Arrow's inference of types."""
    options = pyarrow.csv.ReadOptions(use_threads=threads)
    return pyarrow.csv.read_csv(path, read_options=options).to_pandas()


def on_one_core(read: Callable[[Path], pd.DataFrame]) -> Callable[[Path], pd.DataFrame]:
    """Return a reader that uses one core."""

    def call(path: Path) -> pd.DataFrame:
        with one_core():
            return read(path)

    return call


def run(full: bool = False) -> list[Row]:
    """Read the whole table in each way."""
    path = flight_tables() / "flights.csv"
    expected = pd.read_csv(path)
    seconds = compare(
        on(
            path,
            pandas=pd.read_csv,
            pandas_one_core=on_one_core(pd.read_csv),
            arrow=lambda one: arrow(one, True),
            arrow_one_core=on_one_core(lambda one: arrow(one, False)),
        ),
        15 if full else 7,
    )
    same = bool((arrow(path, False).dtypes == expected.dtypes).all())
    return [
        {
            "case": name.replace("_", " "),
            "ms": taken * 1e3,
            "MB/s": path.stat().st_size / taken / 1e6,
            "against pandas": seconds["pandas"] / taken,
            "dtypes": "equal" if name.startswith("pandas") or same else "DIFFER",
        }
        for name, taken in seconds.items()
    ]
