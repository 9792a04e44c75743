"""For every operation with a native form: chains that must run natively, by the dtypes they take.

A chain is written over these inputs; what it returns is the value of its last step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.frames import SUPPORTED
from stratum_dask.ops.steps import Ref, Step
from tests.ops.generate import ARITHMETIC, ARITHMETIC_UFUNCS, COMPARISON_UFUNCS, COMPARISONS, LOGIC
from tests.ops.oracle import step

F, F2, N, N2, B, B2, FRAME, ARRAY, DAYS = (Ref(i) for i in range(9))
LAST, NEXT = Ref(9), Ref(10)


def inputs() -> list[Any]:
    """Columns of float64, int64 and bool, two each; a frame of all of them; an array; days."""
    index = pd.Index([*"pqrstuvw"], name="row")
    columns = {
        "f": [1.5, np.nan, -2.0, 4.0],
        "g": [0.5, 3.0, -0.0, -1.25],
        "i": [3, 1, 2, 3],
        "j": [1, 2, 5, 4],
        "t": [True, False, True, True],
        "u": [False, False, True, True],
    }
    frame = pd.DataFrame({name: values * 2 for name, values in columns.items()}, index=index)
    days = pd.Series(pd.date_range("2023-12-30", periods=8), index=index, name="d")
    return [*(frame[name].copy() for name in columns), frame, np.arange(8.0), days]


FLOATS = [step("operator.getitem", FRAME, ["f", "g"])]
NUMBERS = [step("operator.getitem", FRAME, ["f", "i"])]


def chains(op: str) -> list[list[Step]]:
    """The chains of which the last step is a call of `op`, or reads what it returns."""
    return [chain if isinstance(chain, list) else [chain] for chain in _CHAINS.get(op, [])]


_CHAINS: dict[str, list[Step | list[Step]]] = {}


def _add(op: str, *calls: tuple[Any, ...], **keywords: Any) -> None:
    _CHAINS.setdefault(op, []).extend(step(op, *args, **keywords) for args in calls)


def _add_chain(op: str, before: list[Step], *calls: tuple[Any, ...]) -> None:
    _CHAINS.setdefault(op, []).extend([*before, step(op, *args)] for args in calls)


# -- columns
_add("operator.getitem", *((FRAME, name) for name in "fit"), (FRAME, ["u", "g", "j"]))
_add("getattr", *((FRAME, name) for name in "fit"))
_add("dask.accessor", (DAYS, "dt", "year"), (DAYS, "dt", "hour"))
for value in (0.5, 7, True, F, N, B, ARRAY):
    _add("stratum.with_column", (FRAME, "f", value), (FRAME, "new", value))
    _add(".assign", (FRAME,), f=value, new=value)
    _add("dask.assign", (FRAME, "f", value, "new", value))
_add(".drop", (FRAME,), columns=["g", "t"])
_add(".drop", (FRAME, "i"), axis=1)
_add(".rename", (FRAME,), columns={"f": "x", "t": "y"})
_add(".copy", (FRAME,), (F,), (N,), (B,))
_add(".copy", (FRAME,), deep=False)
_add(".astype", *((x, to) for x in (N, B) for to in ("float64", "float32", "int8", "bool")))
_add(".astype", (F, "float32"), (F2, int), (F, bool), (FRAME, {"i": "float32", "t": "int8"}))
for op in (".round", "numpy.round"):
    _add(op, (F,), (F, 1), (F, -1), (N,), (N, 2))
    _add_chain(op, NUMBERS, (LAST, 1))

# -- arithmetic
for name in (*ARITHMETIC, "div"):
    spellings = [f".{name}"] if name == "div" else [f"operator.{name}", f".{name}"]
    for op in spellings:
        _add(op, (F, F2), (N, N2), (F, 2.0), (N, 3))
        if name != "pow":
            _add(op, (F, N), (F, B), (N, 2.5))
        _add_chain(op, NUMBERS, (LAST, 3.0 if name not in ("floordiv", "pow") else 2))
    _add(f".r{name}", (F, 2.0), (N, 3))
    _add_chain(f".r{name}", FLOATS, (LAST, 2.0))
    if name != "div":
        _add(f"operator.{name}", (2.0, F), (3, N))
    if name in ("add", "sub", "mul", "truediv"):
        rows = [step(".mean", FRAME), step(".count", FRAME)]
        _add_chain(f"operator.{name}", rows, (FRAME, LAST), (LAST, NEXT), (2.0, NEXT))
for name in ARITHMETIC_UFUNCS:
    _add(f"numpy.{name}", (F, F2), (N, N2), (F, 2.0), (2, N))
    _add_chain(f"numpy.{name}", FLOATS, (LAST, 2.0))
for op in ("operator.abs", ".abs", "numpy.abs", "numpy.absolute", "operator.neg", "numpy.negative"):
    _add(op, (F,), (N,))
    _add_chain(op, NUMBERS, (LAST,))
_add("operator.invert", (N,), (B,))

# -- comparisons and logic
for name in COMPARISONS:
    for op in (f"operator.{name}", f".{name}"):
        _add(op, (F, F2), (N, N2), (B, B2), (F, 2.0), (N, 3), (B, True), (F, N))
        _add_chain(op, NUMBERS, (LAST, 1))
    _add(f"operator.{name}", (2.0, F), (3, N))
for name in COMPARISON_UFUNCS:
    _add(f"numpy.{name}", (F, F2), (N, N2), (B, B2), (F, 2.0), (3, N))
for name in LOGIC:
    _add(f"operator.{name}", (B, B2), (N, N2), (B, True), (False, B), (N, 3))

# -- missing and replaced values
_add(".fillna", (F, 0.5), (F, 0), (F, F2), (N, 0), (FRAME, {"f": 1.0, "i": 2}))
_add_chain(".fillna", NUMBERS, (LAST, 0.5))
_add_chain(".fillna", [step(".median", F)], (F, LAST))
_add_chain(".fillna", [step(".median", FRAME)], (FRAME, LAST))
for name in ("isna", "isnull", "notna", "notnull"):
    for prefix in ("", "pandas"):
        _add(f"{prefix}.{name}", (F,), (N,), (B,), (FRAME,))
for op in (".clip", "numpy.clip"):
    _add(op, (F, 0.0, 2.5), (N, 1, 2), (F, None, 1))
    _add_chain(op, FLOATS, (LAST, -1.0, 1.0))
for op in (".where", ".mask"):
    _add(op, (F, B), (F, B, 0.5), (F, B, F2), (N, B, 7), (N, B, N2), (B, B2, False), (B, B2, B))
_add_chain(".clip", [step(".quantile", F, 0.1), step(".quantile", F, 0.9)], (F, LAST, NEXT))
for x in (F, N):
    _add(".replace", (x, 3, 7), (x, [np.inf, -np.inf], np.nan), (x, [1, 2, 1.5], [2, 3, 4]))
_add(".replace", (F, {1.5: np.nan, np.nan: 2.0}), (N, {1: 10, 2: 20}))
_add_chain(".replace", NUMBERS, (LAST, [np.inf, -np.inf], np.nan))
_add("numpy.where", (B, F, 0.0), (B, N, N2), (B, B2, False), (B, ARRAY, F), (B, 1, 2.5))
_add(".isin", (F, [1.5, 4]), (N, (1, 2, 99)), (N, {3}), (F, []))
_add(".map", (F, {1.5: 1.0, 4.0: 2.5}), (N, {1: 5, 2: 6, 3: 7}), (N, {1: 0.5}))
_add(".map", (B, {True: 1, False: 0}), (B, {True: 0.5}))

# -- reductions
for name in ("median", "mean", "sum", "count", "min", "max", "std", "var"):
    _add(f".{name}", (F,), (N,))
    _add_chain(f".{name}", FLOATS, (LAST,))
    _add_chain(f".{name}", NUMBERS, (LAST,))
    if name not in ("min", "max"):
        _add(f".{name}", (B,), (FRAME,))
for name in ("sum", "mean", "count", "std", "var"):
    _CHAINS[f".{name}"] += [[*part, step(f".{name}", LAST, axis=1)] for part in (FLOATS, NUMBERS)]
_add(".quantile", (F,), (F, 0.25), (N, 1))
_add_chain(".quantile", NUMBERS, (LAST, 0.25))
for name in ("min", "max"):
    _add(f".{name}", (B,))
for name in ("any", "all"):
    _CHAINS[f".{name}"] = [[step("operator.gt", FRAME, 1), step(f".{name}", LAST, axis=1)]]
for name in ("std", "var"):
    _add(f".{name}", (F,), (N,), ddof=0)
_CHAINS[".mode"] = [[step(".mode", x), step("operator.getitem", LAST, 0)] for x in (F, N, B)]

# -- NumPy's inner loops
for name in ("log1p", "expm1", "log", "log2", "log10", "exp", "sqrt", "sin", "cos", "tan"):
    _add(f"numpy.{name}", (N,))
    _add_chain(f"numpy.{name}", [step(".clip", F, 0.5)], (LAST,))
    _add_chain(f"numpy.{name}", [*NUMBERS, step(".clip", LAST, 1)], (NEXT,))
for op in ("numpy.maximum", "numpy.minimum"):
    _add(op, (F2, F2), (F2, 1.0), (0, F2), (F2, N), (F2, ARRAY))
for name in ("exp", "sqrt"):
    _add(f"numpy.{name}", (ARRAY,))
_add("numpy.isnan", (F,), (ARRAY,))

assert set(_CHAINS) <= SUPPORTED
