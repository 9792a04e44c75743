"""Planning a batch of many small tasks: ours against stock Dask's optimize and materialisation.

10,000 Delayed of 10 tasks each, none of them shared. Stock Dask's time grows with the square of
the batch, so it is measured on smaller ones unless ``--full`` is given.
"""

from __future__ import annotations

from functools import partial

import dask
from dask.highlevelgraph import HighLevelGraph

import stratum_dask as sd
from benchmarks.harness import Row, compare, on, timed

TARGET = 40.0


def inc(x: int) -> int:
    """Add one."""
    return x + 1


def build(candidates: int, length: int = 10) -> list[dask.delayed.Delayed]:
    """Return chains that begin with different numbers."""
    step = dask.delayed(inc)
    batch = []
    for number in range(candidates):
        value = step(number)
        for _ in range(length - 1):
            value = step(value)
        batch.append(value)
    return batch


def graph(tasks: int, length: int = 10) -> dict:
    """Return the same chains as a plain graph, which is cheap to build."""
    dsk = {}
    for number in range(tasks // length):
        dsk[f"inc-{number}-0"] = (inc, number)
        for i in range(1, length):
            dsk[f"inc-{number}-{i}"] = (inc, f"inc-{number}-{i - 1}")
    return dsk


def ours(batch: list[dask.delayed.Delayed]) -> dict:
    """Optimize, and materialise what all outputs need together."""
    return HighLevelGraph.merge(*(one.dask for one in sd.optimize(batch))).to_dict()


def stock(batch: list[dask.delayed.Delayed]) -> dict:
    """Do what stock Dask does before it can run a batch."""
    return dict(dask.optimize(*batch)[0].__dask_graph__())


def run(full: bool = False) -> list[Row]:
    """Return one row per size."""
    rows: list[Row] = []
    for candidates in (500, 1_000, 2_000, *((10_000,) if full else ())):
        batch = build(candidates)
        repeats = 3 if candidates <= 2_000 else 1
        seconds = compare(on(batch, ours=ours, stock=stock), repeats)
        rows.append(
            {
                "case": f"{candidates:,} Delayed x 10",
                "tasks": candidates * 10,
                "ours s": seconds["ours"],
                "stock s": seconds["stock"],
                "ratio": seconds["stock"] / seconds["ours"],
                "us per task": seconds["ours"] / candidates / 10 * 1e6,
            }
        )
    if not full:
        batch = build(10_000)
        seconds = compare(on(batch, ours=ours), 5)
        rows.append(
            {
                "case": "10,000 Delayed x 10",
                "tasks": 100_000,
                "ours s": seconds["ours"],
                "us per task": seconds["ours"] / 1e5 * 1e6,
            }
        )
    for tasks in (10_000, 100_000, 1_000_000):
        dsk = graph(tasks)
        elapsed, _ = timed(partial(sd.optimize, dsk))
        rows.append(
            {
                "case": "one plain graph",
                "tasks": tasks,
                "ours s": elapsed,
                "us per task": elapsed / tasks * 1e6,
            }
        )
    return rows
