"""Memory that is used again."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Ref
from tests.ops.oracle import assert_same, copies, in_pandas, step

ROWS = 200_000


@pytest.mark.parametrize("dtype", ["float64", "int8", "uint16", "bool", "datetime64[us]"])
@pytest.mark.parametrize("shape", [0, 7, 1_000_000, (3, ROWS), (0, 5)])
def test_arrays_look_as_numpys(shape: int | tuple[int, ...], dtype: str) -> None:
    array, expected = empty(shape, dtype), np.empty(shape, dtype)
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype)
    assert array.flags.writeable and array.flags.c_contiguous and array.flags.aligned


def test_free_memory_is_used_again() -> None:
    first = empty(ROWS, "float64")
    address, view = first.ctypes.data, first[5:]
    del first
    other = empty(ROWS, "float64")
    assert other.ctypes.data != address  # the view is alive
    del view
    again = empty(ROWS, "float64")
    assert again.ctypes.data == address


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(1, 4), st.booleans()), min_size=1, max_size=30
    )
)
def test_living_arrays_never_share(turns: list[tuple[int, int, bool]]) -> None:
    living: dict[int, tuple[np.ndarray, int]] = {}
    for number, (slot, size, as_view) in enumerate(turns):
        array = empty(size * 40_000, "int64")
        array[:] = number
        living[slot] = (array[3:-3] if as_view else array, number)
        for one, content in living.values():
            assert (one == content).all()


def test_an_impossible_size_is_numpys_error() -> None:
    with pytest.raises(MemoryError) as expected:
        np.empty(1 << 58)
    with pytest.raises(MemoryError) as raised:
        empty(1 << 58, "float64")
    assert str(raised.value) == str(expected.value)


def test_pickle_and_copy_keep_the_values() -> None:
    array = empty(ROWS, "float64")
    array[:] = np.arange(ROWS)
    for protocol in (4, 5):
        assert np.array_equal(pickle.loads(pickle.dumps(array, protocol)), array)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_too_big_for_the_caches_are_the_same(threads: int) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.normal(size=400_001) for name in "abcdef"})
    frame["n"] = rng.integers(0, 9, len(frame)).astype("int32")
    steps = [
        step("operator.truediv", Ref(0), 3),
        step("operator.getitem", Ref(1), "n"),
        step("operator.mul", Ref(2), Ref(2)),
        step(".assign", Ref(1), square=Ref(3), again=Ref(3), big=Ref(2)),
        step(".copy", Ref(4)),
    ]
    expected = in_pandas(steps, copies([frame]))
    assert expected.memory_usage().sum() > 16 << 20
    for _ in range(2):  # the second writes where the first did
        actual = FusedFrame(tuple(steps), 1, threads=threads)(frame)
        assert_same(actual, expected)
        del actual
