"""Planning a batch of many small tasks: ours against what stock Dask does before it runs a batch.

10,000 Delayed of 10 tasks each, none of them shared. `stock` is Dask's optimization and
materialisation of the batch, `ours` is our optimization alone, `ours to graph` is followed by all
that Dask does with what comes back. Stock Dask's time grows with the square of the batch, so it is
measured on smaller ones unless ``--full`` is given.
"""

from __future__ import annotations

from functools import partial

import dask
from dask.base import collections_to_expr

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


def stock(batch: list[dask.delayed.Delayed]) -> dict:
    """Do what ``dask.compute`` does before it runs a batch."""
    return dict(collections_to_expr(batch).optimize().__dask_graph__())


def ours_to_graph(batch: list[dask.delayed.Delayed]) -> dict:
    """Optimize, and do the same with what comes back."""
    return stock(sd.optimize(batch))


def run(full: bool = False) -> list[Row]:
    """Return one row per size."""
    rows: list[Row] = []
    for candidates in (500, 1_000, 2_000, 10_000):
        batch = build(candidates)
        contestants = on(batch, ours=sd.optimize, ours_to_graph=ours_to_graph)
        if full or candidates <= 2_000:
            contestants |= on(batch, stock=stock)
        seconds = compare(contestants, 1 if full and candidates > 2_000 else 5)
        row: Row = {
            "case": f"{candidates:,} Delayed x 10",
            "tasks": candidates * 10,
            "ours s": seconds["ours"],
            "us per task": seconds["ours"] / candidates / 10 * 1e6,
            "ours to graph s": seconds["ours_to_graph"],
        }
        if "stock" in seconds:
            row["stock s"] = seconds["stock"]
            row["ratio"] = seconds["stock"] / seconds["ours"]
            row["ratio to graph"] = seconds["stock"] / seconds["ours_to_graph"]
        rows.append(row)
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
