"""Random frames, and random chains of calls on them that mostly make sense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import assume
from hypothesis import strategies as st

from stratum_dask.ops.steps import Ref, Step, resolve
from tests.ops.oracle import copies, is_readable, observe, step

FLOATS = ("float64", "float32")
INTEGERS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8")
DTYPES = (*FLOATS, *INTEGERS, "bool")
SPECIAL = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    2.5,
    -2.5,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e300,
    5e-324,
    3.0,
    100.0,
]
NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 3, 7, 100, 300, 0.0, -0.0, 0.5, 2.0, 2.5, -1.5, 1e10, float("nan"), float("inf")]
)
SCALARS = st.one_of(
    NUMBERS,
    st.sampled_from(
        [True, np.float64(0.1), np.float32(0.5), np.int8(2), np.int64(5), np.bool_(True), None, "x"]
    ),
)


@st.composite
def values_of(draw: st.DrawFn, dtype: str, length: int) -> np.ndarray:
    if dtype == "bool":
        items: Any = st.booleans()
    elif dtype in FLOATS:
        items = st.one_of(
            st.sampled_from(SPECIAL if draw(st.booleans()) else [1.0, -2.0, 0.25, 3.5, 7.0]),
            st.floats(-1e6, 1e6, width=32),
        )
    else:
        info = np.iinfo(dtype)
        items = st.one_of(st.integers(max(info.min, -5), 9), st.integers(info.min, info.max))
    values = draw(st.lists(items, min_size=length, max_size=length))
    with np.errstate(over="ignore"):
        return np.array(values, dtype="float64" if dtype in FLOATS else dtype).astype(dtype)


@st.composite
def indexes(draw: st.DrawFn, length: int) -> pd.Index:
    kind = draw(st.sampled_from(["range", "range", "shuffled", "text", "repeated", "named"]))
    if kind == "range":
        return pd.RangeIndex(length)
    if kind == "shuffled":
        return pd.Index(np.arange(length)[::-1] * 2)
    if kind == "text":
        return pd.Index([f"row{i}" for i in range(length)])
    if kind == "repeated":
        return pd.Index(np.zeros(length, dtype="int64"))
    return pd.RangeIndex(1, length + 1, name="number")


@st.composite
def columns(draw: st.DrawFn, dtypes: Sequence[str]) -> pd.Series:
    """A short column of one of some dtypes, with any index and perhaps a name."""
    length = draw(st.sampled_from([0, 1, 2, 9, 30]))
    values = draw(values_of(draw(st.sampled_from(dtypes)), length))
    return pd.Series(values, index=draw(indexes(length)), name=draw(st.sampled_from(["x", None])))


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    length = draw(st.sampled_from([0, 1, 2, 5, 5, 5, 9, 17]))
    kind = draw(st.sampled_from(["mixed", "mixed", "block", "rows", "duplicate", "foreign"]))
    index = draw(indexes(length))
    if kind in ("block", "rows"):
        dtype = draw(st.sampled_from(["float64", "float64", "float32", "int64"]))
        columns = [draw(values_of(dtype, length)) for _ in range(3)]
        array = np.stack(columns) if columns else np.empty((0, length))
        data = array.T if kind == "block" else np.ascontiguousarray(array.T)
        return pd.DataFrame(data, columns=["a", "b", "c"], index=index, copy=False)
    names = ["a", "b", "c", "d"]
    parts = {}
    for name in names:
        dtype = draw(st.sampled_from(DTYPES if draw(st.booleans()) else ["float64", "int64"]))
        parts[name] = pd.Series(draw(values_of(dtype, length)), index=index)
    if kind == "foreign":
        parts["s"] = pd.Series([f"t{i}" for i in range(length)], index=index, dtype="str")
        parts["n"] = pd.Series([None, *range(length)][:length], index=index, dtype="Int64")
        parts["o"] = pd.Series([(i,) for i in range(length)], index=index, dtype=object)
    frame = pd.DataFrame(parts, index=index)
    if kind == "duplicate":
        frame.columns = ["a", "b", "a", "d"]
    return frame


ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
LOGIC = ["and_", "or_", "xor"]
BINARY = [*ARITHMETIC, *COMPARISONS, *LOGIC]
ARITHMETIC_METHODS = [*ARITHMETIC, "div", *(f"r{name}" for name in ARITHMETIC), "rdiv"]
METHODS = [*ARITHMETIC_METHODS, *COMPARISONS]
UNARY = [
    "operator.abs",
    "operator.neg",
    "operator.invert",
    ".abs",
    ".isna",
    ".notna",
    ".isnull",
    ".notnull",
    "pandas.isna",
    "pandas.notna",
    "pandas.isnull",
    "pandas.notnull",
    ".copy",
    ".round",
    "numpy.round",
    "numpy.abs",
    "numpy.absolute",
    "numpy.negative",
]
UFUNCS = ["log1p", "expm1", "log", "log2", "log10", "exp", "sqrt", "sin", "cos", "tan", "isnan"]
ARITHMETIC_UFUNCS = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "floor_divide",
    "remainder",
    "mod",
    "power",
]
COMPARISON_UFUNCS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
BINARY_UFUNCS = [*ARITHMETIC_UFUNCS, *COMPARISON_UFUNCS, "maximum", "minimum"]
REDUCTIONS = ["median", "mean", "min", "max", "std", "var", "sum", "count"]
TYPES = [*DTYPES, float, int, bool, np.float32, np.dtype("int16"), "f8", "Int64", "str"]
MAPPINGS = st.one_of(
    st.dictionaries(st.integers(-3, 9), st.floats(-2, 2), min_size=1),
    st.dictionaries(st.integers(-3, 9), st.integers(-2, 2), min_size=1),
    st.dictionaries(st.sampled_from([0.0, 0.5, 1.0, 2.5]), st.sampled_from([1, 2.5]), min_size=1),
    st.just({True: 1, False: 0}),
    st.just({i: i * 0.5 for i in range(-130, 300)}),
    st.just({1: "one"}),
    st.just({}),
)

FRACTIONS = st.sampled_from([0, 1, 0.5, 0.25, 0.01, 1 / 3])


@st.composite
def replacements(draw: st.DrawFn, value: Any) -> Step:
    """A call of ``.replace`` with a number, a list or a dict."""
    kind = draw(st.sampled_from(["number", "list", "lists", "dict"]))
    if kind == "number":
        return step(".replace", value, draw(NUMBERS), draw(SCALARS))
    old = draw(st.lists(NUMBERS, min_size=1, max_size=4))
    if kind == "list":
        return step(".replace", value, old, draw(NUMBERS))
    new = draw(st.lists(NUMBERS, min_size=len(old), max_size=len(old)))
    if kind == "lists":
        return step(".replace", value, old, new)
    return step(".replace", value, dict(zip(old, new, strict=True)))


class Pool:
    """The values of a chain so far, by kind."""

    def __init__(self, inputs: list[Any]) -> None:
        self.values = list(inputs)

    def refs(self, *kinds: type) -> list[Ref]:
        return [Ref(i) for i, value in enumerate(self.values) if type(value) in kinds]

    def bool_series(self) -> list[Ref]:
        return [r for r in self.refs(pd.Series) if self.values[r.index].dtype == bool]


@st.composite
def calls(draw: st.DrawFn, pool: Pool) -> Step:
    """One call on values of the pool."""

    def one(*kinds: type) -> Any:
        return draw(st.sampled_from(pool.refs(*kinds)))

    series, frames = pool.refs(pd.Series), pool.refs(pd.DataFrame)
    numbers = pool.refs(np.float64, np.int64, np.float32)
    if not series or draw(st.integers(0, 5)) == 0:
        frame = one(pd.DataFrame)
        columns = list(pool.values[frame.index].columns)
        label = draw(st.sampled_from([*columns, "a"]))
        return step(draw(st.sampled_from(["operator.getitem", "getattr"])), frame, label)
    anything = draw(st.sampled_from(series + frames * (1 + len(series) // 2)))
    operands = st.one_of(
        st.sampled_from(series + frames + numbers + pool.refs(np.ndarray)), SCALARS
    )
    scalars = st.one_of(SCALARS, st.sampled_from(numbers)) if numbers else SCALARS
    family = draw(st.integers(0, 17))
    if family <= 1:
        pair = [anything, draw(operands)]
        return step("operator." + draw(st.sampled_from(BINARY)), *draw(st.permutations(pair)))
    if family == 2:
        return step("." + draw(st.sampled_from(METHODS)), anything, draw(operands))
    if family == 3:
        op = draw(st.sampled_from(UNARY))
        if op in (".round", "numpy.round"):
            return step(op, anything, draw(st.sampled_from([0, 1, 2, 5, -1, 25])))
        return step(op, anything)
    if family == 4:
        return step("numpy." + draw(st.sampled_from(UFUNCS)), anything)
    if family == 5:
        pair = [anything, draw(operands)]
        op = draw(st.sampled_from(BINARY_UFUNCS))
        return step("numpy." + op, *draw(st.permutations(pair)))
    if family == 6:
        if draw(st.integers(0, 4)) == 0:
            return step(".quantile", draw(st.sampled_from(series)), draw(FRACTIONS))
        return step("." + draw(st.sampled_from(REDUCTIONS)), anything)
    if family == 7:
        filling = draw(st.one_of(scalars, operands))
        if anything in frames and draw(st.booleans()):
            rows = [r for r in series if list(pool.values[r.index].index[:1]) == ["a"]]
            choices = [st.dictionaries(st.sampled_from(["a", "b", "zz"]), scalars)]
            filling = draw(st.one_of(*choices, *([st.sampled_from(rows)] if rows else [])))
        return step(".fillna", anything, filling)
    if family == 8:
        op = draw(st.sampled_from([".clip", "numpy.clip"]))
        return step(op, anything, draw(scalars), draw(st.one_of(st.none(), scalars)))
    if family == 9:
        target = draw(st.sampled_from(TYPES))
        if anything in frames and draw(st.booleans()):
            return step(".astype", anything, {"a": target})
        return step(".astype", anything, target)
    if family == 16:
        return draw(replacements(anything))
    if family == 17 and frames:
        op = "." + draw(st.sampled_from(["sum", "mean", "count", "std", "var"]))
        return step(op, draw(st.sampled_from(frames)), axis=1)
    masks = pool.bool_series()
    if family == 10 and masks:
        op = draw(st.sampled_from([".where", ".mask"]))
        rest = draw(st.one_of(st.just([]), st.lists(operands, min_size=1, max_size=1)))
        return step(op, draw(st.sampled_from(series)), draw(st.sampled_from(masks)), *rest)
    if family == 11 and masks:
        return step("numpy.where", draw(st.sampled_from(masks)), draw(operands), draw(operands))
    if family == 12:
        values = st.lists(NUMBERS, max_size=12)
        container = draw(st.sampled_from([list, tuple, set]))
        return step(".isin", draw(st.sampled_from(series)), container(draw(values)))
    if family == 13:
        return step(".map", draw(st.sampled_from(series)), draw(MAPPINGS))
    if family == 14 and series:
        mode = draw(st.sampled_from(series))
        return step(".mode", mode) if draw(st.booleans()) else step("operator.getitem", mode, 0)
    frame = one(pd.DataFrame)
    columns = list(pool.values[frame.index].columns)
    some = draw(st.lists(st.sampled_from(columns), unique=True, max_size=3)) if columns else ["a"]
    choice = draw(st.integers(0, 6))
    if choice == 0:
        return step("operator.getitem", frame, some)
    if choice == 1:
        return step(".drop", frame, columns=some)
    if choice == 2:
        return step(".drop", frame, some, axis=1)
    if choice == 3:
        return step(".rename", frame, columns={"a": draw(st.sampled_from(["x", "b", 3]))})
    if choice == 4:
        names = draw(st.lists(st.sampled_from(["a", "b", "new", "other"]), min_size=1, unique=True))
        return step(".assign", frame, **{name: draw(operands) for name in names})
    name = draw(st.sampled_from(["a", "c", "new"]))
    return step("stratum.with_column", frame, name, draw(operands))


@st.composite
def chains(draw: st.DrawFn, max_steps: int = 12) -> tuple[list[Step], list[Any]]:
    """A chain of steps and its inputs; it may end with a step that raises."""
    inputs: list[Any] = [draw(frames())]
    if draw(st.integers(0, 3)) == 0:
        inputs.append(draw(frames()))
    pool = Pool(copies(inputs))
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, max_steps))):
        call = draw(calls(pool))
        steps.append(call)
        args, kwargs = resolve(call.args, pool.values), resolve(dict(call.kwargs), pool.values)
        outcome = observe(lambda: call.func(*args, **kwargs))  # noqa: B023
        if outcome.error is not None:
            break
        if _broken(outcome.value):
            steps.pop()
            break
        pool.values.append(outcome.value)
    assume(steps)
    return steps, inputs


def _broken(value: Any) -> bool:
    """Whether to do without a call: its result is huge, or pandas has made it unreadable.

    Aligning repeated labels multiplies rows.
    """
    if not isinstance(value, (pd.Series, pd.DataFrame)):
        return False
    return len(value) > 500 or not is_readable(value)
