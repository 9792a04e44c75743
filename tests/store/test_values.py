"""What comes back from bytes cannot be told from what was kept."""

from __future__ import annotations

import math
import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from stratum_dask.literals import encode as identity
from stratum_dask.store.container import Bad, seal, unseal
from stratum_dask.store.values import Refused, encode
from tests.ops.generate import frames
from tests.ops.oracle import assert_same

TOKEN, KEY = bytes(range(16)), bytes(32)


def through(value):
    """Return what is read from an entry after the original is gone."""
    encoded = encode(value).snapshot()
    entry = memoryview(bytearray(b"".join(seal(TOKEN, encoded, 1.0, KEY))))
    return unseal(entry, TOKEN, KEY).value


def check(value):
    back = through(value)
    assert_same(back, value)
    assert identity(back) == identity(value)  # which counts layout, attributes and missing kinds
    return back


@given(frames())
def test_frames(frame):
    frame.attrs = {"unit": ["min"]}
    back = check(frame)
    check(frame.iloc[1:])
    check(frame.T)
    assert len(back._mgr.blocks) == len(frame._mgr.blocks)
    for one, other in zip(back._mgr.blocks, frame._mgr.blocks, strict=True):
        assert one.mgr_locs.as_array.tolist() == other.mgr_locs.as_array.tolist()
        if isinstance(other.values, np.ndarray):
            assert same_layout(one.values, other.values)


def same_layout(one, other):
    strides = [
        [step for step, length in zip(a.strides, a.shape, strict=True) if length > 1]
        for a in (one, other)
    ]
    return not other.size or strides[0] == strides[1]


DAYS = pd.date_range("2013-01-01", periods=3, tz="America/New_York", unit="s")
INDEXES = [
    DAYS,
    pd.date_range("2013", periods=3, freq="MS"),
    pd.Index(["a", None, "b"], dtype="str"),
    pd.Index(["a", pd.NA, "b"], dtype="string"),
    pd.MultiIndex.from_product([["a", "b", "c"], [1]], names=["x", None]),
    pd.CategoricalIndex(["b", "a", None], categories=["b", "a", "z"], ordered=True),
    pd.RangeIndex(5, 2, -1, name="r"),
    pd.interval_range(0, 3),
    pd.period_range("2013", periods=3, freq="M"),
    pd.Index([1, "1", None], dtype=object),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: str(index.dtype))
def test_labels(index):
    series = pd.Series([1.5, np.nan, -0.0], index=index, name=("a", 1))
    back = through(series)
    assert_same(back, series)
    assert getattr(back.index, "freq", None) == getattr(index, "freq", None)
    frame = pd.DataFrame(np.eye(3), columns=index, index=index)
    assert_same(through(frame), frame)
    back = through(index)
    assert back.identical(index) and back.dtype == index.dtype


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, None], dtype="Int8"),
        pd.array([True, None], dtype="boolean"),
        pd.array(["x", None], dtype="string[python]"),
        pd.array(["x", None], dtype="string[pyarrow]"),
        pd.array([1.5, None], dtype="double[pyarrow]"),
        pd.Categorical(["x", "y"], categories=["y", "x", "z"], ordered=True),
        pd.arrays.SparseArray([0, 0, 1]),
        pd.to_timedelta([1, None], unit="s").array,
        pd.array(np.array(["2013", "NaT"], "M8[s]")),
    ],
    ids=lambda values: str(values.dtype),
)
def test_extension_arrays(values):
    assert_same(through(pd.Series(values)), pd.Series(values))
    assert through(pd.Series(values)).dtype == values.dtype


def test_missing_kinds_in_cells_stay_what_they_are():
    cells = [None, np.nan, pd.NA, pd.NaT, math.nan, np.nan, "x", 1, 1.0, True]
    back = through(pd.Series(cells, dtype=object))
    assert [type(cell) for cell in back] == [type(cell) for cell in cells]
    assert back[1] is np.nan and back[3] is pd.NaT and back[4] is math.nan
    assert Counter(back)[np.nan] == Counter(cells)[np.nan] == 2


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from(["f8", "f4", "i8", "?", "u1", "c16", "M8[ns]", "U3", "S2", "O"]))
    shape = draw(st.sampled_from([(), (0,), (5,), (0, 3), (4, 3), (2, 3, 4)]))
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    for change in draw(st.lists(st.sampled_from(["F", "T", "rows", "columns"]), max_size=2)):
        if change == "F":
            array = np.asfortranarray(array)
        elif change == "T":
            array = array.T
        elif array.ndim and change == "rows":
            array = array[1:]
        elif array.ndim and array.dtype != object:
            array = array[..., ::2]
    if draw(st.booleans()):
        array.flags.writeable = False
    return array


@given(arrays())
def test_arrays(array):
    try:
        back = through(array)
    except Refused:  # objects with gaps between them
        assert array.dtype == object and not (array.flags.c_contiguous or array.flags.f_contiguous)
        return
    assert (back == array).all() and back.dtype == array.dtype and back.shape == array.shape
    assert same_layout(back, array)
    for flag in ("c_contiguous", "f_contiguous", "writeable"):
        assert getattr(back.flags, flag) == getattr(array.flags, flag), flag


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array", "csc_matrix", "coo_array"])
def test_sparse(kind):
    value = getattr(scipy.sparse, kind)(np.diag([1.0, 0.0, 3.0]))
    back = through(value)
    assert type(back) is type(value) and back.dtype == value.dtype
    assert identity(back) == identity(value)
    assert getattr(back, "has_canonical_format", None) == getattr(
        value, "has_canonical_format", None
    )


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(PLAIN)
def test_plain_values(value):
    assert identity(through(value)) == identity(value)


def test_fitted_estimators():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X["sex"] = X["sex"].astype(str)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["sex"]), remainder=StandardScaler()),
        RandomForestRegressor(3, random_state=np.random.RandomState(0)),
    ).fit(X, y)
    back = through(model)
    assert (back.predict(X) == model.predict(X)).all()
    assert pickle.dumps(back.named_steps["randomforestregressor"].random_state) == pickle.dumps(
        model.named_steps["randomforestregressor"].random_state
    )


def by_user(x):
    return x


class ByUser:
    pass


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (by_user, "code"),
        (ByUser(), "code"),
        ([ByUser], "code"),
        (FunctionTransformer(by_user), "code"),
        (lambda: 1, "code"),
        ({1, 2}, "set"),
        ([frozenset("ab")], "set"),
        (memoryview(b"x"), "pickled"),
        (np.zeros(3).view(np.recarray), "shares its memory"),
        (np.arange(100)[::50], "gaps"),
        (np.arange(10)[::-1], "layout"),
    ],
)
def test_what_would_not_come_back_is_refused(value, why):
    with pytest.raises(Refused, match=why):
        encode(value)


def test_a_value_is_fresh_each_time():
    original = pd.DataFrame({"a": [1.0, 2.0], "s": ["x", "y"]})
    one, other = through(original), through(original)
    one.loc[0, "a"] = 99.0
    one["a"].to_numpy(), one.attrs.update(k=1)
    assert other.loc[0, "a"] == 1.0 and not other.attrs


def test_a_snapshot_does_not_follow_what_happens_to_the_value():
    value = np.arange(1000.0)
    snapshot = encode(value).snapshot()
    value[:] = -1.0
    entry = memoryview(bytearray(b"".join(seal(TOKEN, snapshot, 1.0, KEY))))
    assert (unseal(entry, TOKEN, KEY).value == np.arange(1000.0)).all()


def test_slices_of_text_do_not_carry_the_rest():
    text = pd.Series([f"text number {i}" for i in range(10_000)])
    assert encode(text.iloc[:5]).nbytes < 3_000


@pytest.fixture(scope="module")
def entry():
    value = {"frame": pd.DataFrame(np.arange(4000.0).reshape(1000, 4)), "text": "x" * 5000}
    return b"".join(seal(TOKEN, encode(value), 1.5, KEY))


def reason(entry, token=TOKEN, key=KEY):
    with pytest.raises(Bad) as found:
        unseal(memoryview(bytearray(entry)), token, key)
    return str(found.value)


@given(st.data())
def test_any_flipped_bit_is_found(entry, data):
    position = data.draw(st.integers(0, len(entry) - 1))
    changed = bytearray(entry)
    changed[position] ^= 1 << data.draw(st.integers(0, 7))
    assert reason(changed) in ("no entry", "other version", "foreign key", "torn", "altered")


@given(st.data())
def test_any_other_length_is_found(entry, data):
    length = data.draw(st.integers(0, len(entry) - 1))
    assert reason(entry[:length]) == "torn"
    assert reason(entry + bytes(length + 1)) == "torn"
    assert reason(entry[:length] + bytes(len(entry) - length)) != ""


def test_entries_of_others_are_told_apart(entry):
    assert reason(entry, key=b"k" * 32) == "foreign key"
    assert reason(entry, token=bytes(16)) == "another value's"
    assert reason(entry[:8] + (99).to_bytes(4, "little") + entry[12:]) == "other version"
    assert reason(b"x" * 500) == "no entry"


def test_nothing_is_unpickled_before_the_seal_is_checked(entry, monkeypatch):
    monkeypatch.setattr("stratum_dask.store.container.decode", lambda *_: pytest.fail("unpickled"))
    changed = bytearray(entry)
    changed[-1] ^= 1
    assert reason(changed) == "altered"


def test_a_size_that_memory_cannot_hold_is_refused(monkeypatch):
    parts = b"".join(seal(TOKEN, encode(np.zeros(10**6)), 1.0, KEY))
    monkeypatch.setattr("stratum_dask.store.container._most", lambda: 10**6)
    assert len(parts) < 10**5
    assert reason(parts) == "larger than half of the memory"
