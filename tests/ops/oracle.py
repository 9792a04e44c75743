"""Runs a chain fused and in plain pandas, and compares everything that can be seen."""

from __future__ import annotations

import operator
import pickle
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import sklearn
from dask.dataframe.dask_expr import _expr as dask_expr
from dask.dataframe.dask_expr._accessor import PropertyMap
from dask.utils import methodcaller
from packaging.version import Version
from sklearn.model_selection import KFold

from stratum_dask.ops import counters
from stratum_dask.ops.counters import Fallback
from stratum_dask.ops.direct import lengths
from stratum_dask.ops.frames import FusedFrame, with_column
from stratum_dask.ops.frames.blocks import is_readonly
from stratum_dask.ops.steps import Step, resolve


def function_of(op: str) -> Callable[..., Any]:
    """The callable that a canonical name stands for."""
    if op == "getattr":
        return getattr
    if op == "stratum.with_column":
        return with_column
    module, _, name = op.rpartition(".")
    if not module:
        return methodcaller(name)
    if op == "dask.accessor":
        return PropertyMap.operation
    homes = {"operator": operator, "numpy": np, "pandas": pd, "dask": dask_expr}
    return getattr(homes[module], name)


def step(op: str, *args: Any, **kwargs: Any) -> Step:
    return Step(op, function_of(op), args, kwargs, f"label of {op}")


class Outcome(NamedTuple):
    value: Any
    error: BaseException | None
    warned: list[tuple[type, str]]


def every_length(patch: pytest.MonkeyPatch, least: int = 1) -> None:
    """Let native forms run on few rows, too."""
    for kind in lengths.LEAST:
        patch.setitem(lengths.LEAST, kind, least)


#: Why calls are left to earlier versions of pandas and NumPy: these compute in another way.
_EARLIER: set[str] = set()
if Version(pd.__version__) < Version("3.1"):
    _EARLIER.add("pandas adds rows in another order")
    _EARLIER.add("pandas takes medians row by row")
if Version(np.__version__) < Version("2.3"):
    _EARLIER.add("NumPy adds piece by piece")

#: Parameters of a `TargetEncoder` that give the same every time, in the words of the version.
CROSS_FITTED: dict[str, Any] = {"cv": KFold(3)}
if Version(sklearn.__version__) < Version("1.9"):
    CROSS_FITTED = {"cv": 3, "random_state": 0}


def fallbacks() -> dict[Fallback, int]:
    """Return what the libraries ran since counting began, for other reasons than their version."""
    counted = counters.snapshot().fallbacks
    return {one: times for one, times in counted.items() if one.reason not in _EARLIER}


def observe(call: Callable[[], Any]) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value, error = call(), None
        except Exception as raised:
            value, error = None, raised
    return Outcome(value, error, [(w.category, str(w.message)) for w in caught])


def in_pandas(steps: Sequence[Step], inputs: Sequence[Any]) -> Any:
    values = list(inputs)
    for one in steps:
        args, kwargs = resolve(one.args, values), resolve(dict(one.kwargs), values)
        values.append(one.func(*args, **kwargs))
    return values[-1]


def copies(inputs: Sequence[Any]) -> list[Any]:
    def copied(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return _copy_with_gaps(value)
        if isinstance(value, pd.DataFrame):  # pandas 3.0 copies to another memory layout
            return pickle.loads(pickle.dumps(value))
        if isinstance(value, pd.Series) and isinstance(value.dtype, np.dtype):
            array = _copy_with_gaps(value.to_numpy())
            copy = pd.Series(array, value.index.copy(), value.dtype, copy=False)
            return copy.__finalize__(value)  # name, attrs and flags
        return value.copy() if hasattr(value, "copy") else value

    return [copied(value) for value in inputs]


def _copy_with_gaps(array: np.ndarray) -> np.ndarray:
    """Copy an array; of one axis with the same distance between its items."""
    if array.ndim != 1 or array.strides[0] % array.itemsize or array.strides[0] == 0:
        return array.copy(order="K")
    step = array.strides[0] // array.itemsize
    room = np.empty((len(array), abs(step)), array.dtype)[:: 1 if step > 0 else -1, 0]
    room[:] = array
    return room


def moved(value: Any) -> Any:
    """What another process would get of a value: arrays begin at odd addresses."""
    parts: list[pickle.PickleBuffer] = []
    written = pickle.dumps(value, protocol=5, buffer_callback=parts.append)
    return pickle.loads(written, buffers=[at_odd_address(part.raw()) for part in parts])


def at_odd_address(part: memoryview) -> memoryview:
    return memoryview(bytearray(b"." + part))[1:]


def check(steps: Sequence[Step], inputs: Sequence[Any]) -> Outcome:
    """Run fused twice (planning, then from the cache) and compare with plain pandas."""
    expected = observe(lambda: in_pandas(steps, copies(inputs)))
    if not is_readable(expected.value):
        return expected
    blocks = _fails_on_mixed_frame(steps, copies(inputs)) if expected.error else False
    before = copies(inputs)
    fused = FusedFrame(tuple(steps), len(inputs))
    for _ in range(2):
        actual = observe(lambda: fused(*inputs))
        if blocks:
            assert actual.error is not None
        else:
            assert_same_outcome(actual, expected)
    for one, other in zip(inputs, before, strict=True):
        assert_same(one, other, memory=False)  # copies may be written to, and have no gaps
    return expected


def is_readable(value: Any) -> bool:
    """Whether the columns of a frame can be read.

    With repeated columns and no rows pandas 3.1 makes frames of which they can't.
    """
    columns = range(value.shape[1]) if isinstance(value, pd.DataFrame) else ()
    return observe(lambda: [value.iloc[:, i] for i in columns]).error is None


def _fails_on_mixed_frame(steps: Sequence[Step], inputs: list[Any]) -> bool:
    """Whether the failing step works block by block on several dtypes.

    pandas then raises for the block that comes first, which depends on the frame's history.
    """
    values = list(inputs)
    for one in steps:
        args, kwargs = resolve(one.args, values), resolve(dict(one.kwargs), values)
        outcome = observe(lambda: one.func(*args, **kwargs))  # noqa: B023
        if outcome.error is not None:
            frames = [x for x in args if isinstance(x, pd.DataFrame)]
            return any(len(set(frame.dtypes)) > 1 for frame in frames)
        values.append(outcome.value)
    return False


def assert_same_outcome(actual: Outcome, expected: Outcome) -> None:
    if expected.error is None:
        if actual.error is not None:
            raise actual.error
        assert_same(actual.value, expected.value)
    else:
        assert type(actual.error) is type(expected.error)
        assert str(actual.error) == str(expected.error)
        # Nothing of ours is told as what the error follows from.
        assert type(actual.error.__context__) is type(expected.error.__context__)
    # How often pandas repeats a warning for a frame depends on how its columns lie in blocks.
    assert list(dict.fromkeys(actual.warned)) == list(dict.fromkeys(expected.warned))


def assert_same(actual: Any, expected: Any, *, blocks: bool = True, memory: bool = True) -> None:
    """Equal in type, dtype, bits (one NaN is like another), labels, names, layout, writeability.

    Without `blocks` columns may lie otherwise in blocks: pandas takes a block apart when it is
    written to while another frame shares it. Without `memory` arrays may have another order in
    memory, or be read-only where others are not.
    """
    assert type(actual) is type(expected)
    if memory and isinstance(expected, (pd.DataFrame, pd.Series)):
        assert is_readonly(expected) or not is_readonly(actual)
    if isinstance(expected, pd.DataFrame):
        assert_same_index(actual.columns, expected.columns)
        assert_same_index(actual.index, expected.index)
        for i in range(len(expected.columns)):
            assert_same_values(actual._ixs(i, axis=1).array, expected._ixs(i, axis=1).array)
        if memory and all(isinstance(dtype, np.dtype) for dtype in expected.dtypes):
            one, other = actual.to_numpy(), expected.to_numpy()
            assert one.dtype == other.dtype
            assert_same_memory(one, other)
        assert not blocks or layout(actual) == layout(expected)
        assert actual.attrs == expected.attrs
    elif isinstance(expected, pd.Series):
        assert_same_index(actual.index, expected.index)
        assert type(actual.name) is type(expected.name)
        assert actual.name == expected.name
        assert_same_values(actual.array, expected.array)
        if memory and isinstance(expected.dtype, np.dtype):
            assert_same_memory(actual.to_numpy(), expected.to_numpy())
        assert actual.attrs == expected.attrs
    elif isinstance(expected, np.ndarray):
        if memory:
            assert_same_memory(actual, expected)
        assert_same_values(actual, expected)
    elif isinstance(expected, tuple):
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, pd.Index):
        assert_same_index(actual, expected)
    elif isinstance(expected, pd.api.extensions.ExtensionArray):
        assert_same_values(actual, expected)
    elif isinstance(expected, (np.generic, float)):
        assert_same_values(np.asarray(actual), np.asarray(expected))
    elif isinstance(expected, list):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, types.MethodType):  # ``frame.mean`` where no column has this name
        assert actual.__func__ is expected.__func__
        assert_same(actual.__self__, expected.__self__)
    elif not (actual is expected or (actual != actual and expected != expected)):
        assert actual == expected


def layout(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """How columns lie in blocks, on which the order in which pandas adds rows depends."""
    return [
        (block.mgr_locs.as_array.tolist(), str(block.dtype), np.shape(block.values))
        for block in frame._mgr.blocks
    ]


def assert_same_memory(actual: np.ndarray, expected: np.ndarray) -> None:
    """Equal in memory order and in whether it may be written to."""
    for flag in ("c_contiguous", "f_contiguous", "writeable"):
        assert getattr(actual.flags, flag) == getattr(expected.flags, flag), flag


def assert_same_index(actual: pd.Index, expected: pd.Index) -> None:
    assert type(actual) is type(expected)
    assert actual.dtype == expected.dtype
    assert actual.identical(expected), f"{actual} is not {expected}"


def assert_same_values(actual: Any, expected: Any) -> None:
    assert actual.dtype == expected.dtype
    assert len(np.shape(actual)) == len(np.shape(expected))
    if isinstance(expected, pd.Categorical):  # dtypes are equal in any order of the categories
        assert_same_index(actual.categories, expected.categories)
        assert actual.ordered == expected.ordered
        actual, expected = actual.codes, expected.codes
    one, other = np.asarray(actual), np.asarray(expected)
    assert one.shape == other.shape
    if one.dtype.kind in "cmM" or one.dtype == np.longdouble:
        np.testing.assert_array_equal(one, other)
    elif one.dtype.kind == "f":
        nan = np.isnan(other)
        assert (np.isnan(one) == nan).all(), f"{one} is not {other}"
        bits = np.dtype(f"u{one.dtype.itemsize}")
        same = one.reshape(-1).view(bits) == other.reshape(-1).view(bits)
        assert (same | nan.reshape(-1)).all(), f"{one} is not {other}"
    elif one.dtype == object:
        for this, that in zip(one.reshape(-1), other.reshape(-1), strict=True):
            assert type(this) is type(that), f"{this!r} is not {that!r}"
            if this is not that:
                assert_same(this, that)
    else:
        assert (one == other).all(), f"{one} is not {other}"
