"""Rows picked by masks and positions: native and in pandas they can't be told apart."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref, Step
from tests.ops.generate import frames, indexes
from tests.ops.oracle import assert_same, check, in_pandas, observe, step

WORDS = st.sampled_from(["a", "", "longer than sixteen bytes", "é", None])


def check_layout(steps: list[Step], inputs: list[Any]) -> None:
    """Compare all that can be seen, and how the columns lie in blocks."""
    outcome = check(steps, inputs)
    if outcome.error is not None or not isinstance(outcome.value, pd.DataFrame):
        return
    actual = observe(lambda: FusedFrame(tuple(steps), len(inputs))(*inputs)).value
    expected = observe(lambda: in_pandas(steps, inputs)).value
    assert _order(actual) == _order(expected)
    for frame in (actual, expected):
        frame["new"] = 1  # nothing is shared that must not be
    assert_same(actual, expected)


def _order(frame: pd.DataFrame) -> list[Any]:
    """Return the memory order of the blocks."""
    values = [block.values for block in frame._mgr.blocks]
    return [
        (v.flags.c_contiguous, v.flags.f_contiguous) for v in values if isinstance(v, np.ndarray)
    ]


@st.composite
def wide(draw: st.DrawFn) -> pd.DataFrame:
    """A frame that may have strings in several chunks."""
    frame = draw(frames())
    if draw(st.booleans()) and frame.columns.is_unique:
        n = len(frame)
        words = pd.Series(draw(st.lists(WORDS, min_size=n, max_size=n)), dtype="str")
        cut = draw(st.integers(0, n))
        words = pd.concat([words.iloc[cut:], words.iloc[:cut]]).to_numpy(dtype=object)
        frame["w"] = pd.array(words, dtype="str")
        frame["v"] = frame["w"].iloc[::-1].array
    if draw(st.booleans()):
        frame.attrs["from"] = "somewhere"
    return frame


@st.composite
def masks(draw: st.DrawFn, frame: pd.DataFrame) -> Any:
    length = len(frame) + draw(st.sampled_from([0, 0, 0, 0, 1]))
    kind = draw(st.sampled_from(["any", "any", "none", "all"]))
    values = draw(st.lists(st.booleans(), min_size=length, max_size=length))
    mask = np.array([kind == "all" or (kind == "any" and v) for v in values], dtype=bool)
    kind = draw(st.sampled_from(["same", "same", "equal", "array", "list", "other", "nullable"]))
    if kind == "array" or length != len(frame):
        return mask
    if kind == "list":
        return mask.tolist()
    index = draw(indexes(length)) if kind == "other" else frame.index
    dtype = "boolean" if kind == "nullable" else None
    return pd.Series(mask, index=index.copy() if kind == "equal" else index, dtype=dtype)


SELECTIONS: list[list[Step]] = [
    [],
    [],
    [step("operator.getitem", Ref(2), ["a", "c"])],
    [step("operator.getitem", Ref(2), ["c", "b"])],
    [step("operator.getitem", Ref(2), "b")],
    [step("operator.getitem", Ref(2), ["w", "a"])],
    [step("operator.getitem", Ref(2), "v")],
    [step("operator.getitem", Ref(2), "no such column")],
    [
        step("operator.getitem", Ref(2), "a"),
        step("operator.getitem", Ref(2), "b"),
        step("operator.add", Ref(3), Ref(4)),
    ],
    [
        step("operator.getitem", Ref(2), "a"),
        step("stratum.with_column", Ref(2), "new", Ref(3)),
    ],
    [step(".describe", Ref(2))],
]


@given(st.data())
def test_filter(data):
    frame = data.draw(wide())
    mask = data.draw(masks(frame))
    after = data.draw(st.sampled_from(SELECTIONS))
    check_layout([step("operator.getitem", Ref(0), Ref(1)), *after], [frame, mask])


@given(st.data())
def test_loc(data):
    frame = data.draw(wide())
    mask = data.draw(masks(frame))
    steps = [step("getattr", Ref(0), "loc"), step("operator.getitem", Ref(2), Ref(1))]
    check_layout(steps, [frame, mask])


@given(st.data())
def test_filter_of_a_column(data):
    frame = data.draw(wide())
    mask = data.draw(masks(frame))
    label = data.draw(st.sampled_from(["a", "b", "w", "s", "n", "no"]))
    column = step("operator.getitem", Ref(0), label)
    check_layout([column, step("operator.getitem", Ref(2), Ref(1))], [frame, mask])
    accessor = step("getattr", Ref(2), "loc")
    check_layout([column, accessor, step("operator.getitem", Ref(3), Ref(1))], [frame, mask])
    accessor = step("getattr", Ref(0), "loc")
    for key in ((Ref(1), label), (Ref(1), [label]), (slice(None), label)):
        check_layout([accessor, step("operator.getitem", Ref(2), key)], [frame, mask])


def test_filters_of_a_column_run_natively():
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5], "w": ["x", "y", None]})
    steps = [
        step("operator.getitem", Ref(0), "w"),
        step("operator.getitem", Ref(2), Ref(1)),
        step("getattr", Ref(0), "loc"),
        step("operator.getitem", Ref(4), (Ref(1), "a")),
    ]
    counters.reset()
    check_layout(steps, [frame, pd.Series([True, False, True])])
    assert not counters.snapshot().fallbacks


@given(st.data())
def test_duplicated(data):
    frame = data.draw(wide())
    columns = data.draw(st.lists(st.sampled_from([*"abcwvs"]), min_size=1, max_size=3))
    keywords = data.draw(st.sampled_from([{}, {"keep": "last"}, {"keep": False}]))
    check_layout([step(".duplicated", Ref(0), subset=columns, **keywords)], [frame])
    check_layout([step(".duplicated", Ref(0), **keywords)], [frame])


@given(st.data(), st.sampled_from(["iloc", "take", "loc"]))
def test_positions(data, how):
    frame = data.draw(wide())
    n = len(frame)
    items = st.integers(-1 if data.draw(st.booleans()) else 0, max(n, 1))
    positions: Any = np.array(data.draw(st.lists(items, max_size=2 * n)), dtype="int64")
    if data.draw(st.booleans()):
        positions = np.arange(n)
    kind = data.draw(st.sampled_from(["array", "array", "list", "int32", "slice"]))
    if kind == "list":
        positions = positions.tolist()
    elif kind == "int32":
        positions = positions.astype("int32")
    elif kind == "slice" and how == "iloc":
        positions = slice(1, 3)
    value = frame
    if data.draw(st.booleans()) and frame.columns.is_unique:
        value = frame[data.draw(st.sampled_from(list(frame.columns)))]
    if how == "take":
        steps = [step(".take", Ref(0), Ref(1))]
    else:
        steps = [step("getattr", Ref(0), how), step("operator.getitem", Ref(2), Ref(1))]
    check_layout(steps, [value, positions])


@given(wide(), st.fixed_dictionaries({}, optional={
    "subset": st.sampled_from(["a", ["a", "c"], ["w", "a"], ["no"], []]),
    "how": st.sampled_from(["any", "all", "other"]),
    "ignore_index": st.booleans(),
    "thresh": st.just(1),
}))  # fmt: skip
def test_dropna(frame, options):
    check_layout([step(".dropna", Ref(0), **options)], [frame])


@given(wide(), st.fixed_dictionaries({}, optional={
    "subset": st.sampled_from(["a", ["a", "c"], ["w", "a"], "w", ["v", "w"], ["no"], []]),
    "keep": st.sampled_from(["first", "last", False]),
    "ignore_index": st.booleans(),
}))  # fmt: skip
def test_drop_duplicates(frame, options):
    check_layout([step(".drop_duplicates", Ref(0), **options)], [frame])


def _flights(rows: int = 1000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(3, rows)).T, columns=list("abc"))
    frame.loc[::3, "a"] = np.nan
    frame["w"] = pd.array(rng.choice(["x", "yy", "longer than seven"], rows), dtype="str")
    return frame


@pytest.mark.parametrize(
    "steps",
    [
        [step("operator.getitem", Ref(0), Ref(1))],
        [step("getattr", Ref(0), "loc"), step("operator.getitem", Ref(3), Ref(1))],
        [step("getattr", Ref(0), "iloc"), step("operator.getitem", Ref(3), Ref(2))],
        [step("getattr", Ref(0), "iloc"), step("operator.getitem", Ref(3), slice(5, -5, 2))],
        [step(".take", Ref(0), Ref(2))],
        [step(".dropna", Ref(0), subset=["a"])],
        [step(".drop_duplicates", Ref(0), subset="w")],
    ],
)
def test_it_really_runs_natively(steps):
    frame = _flights()
    counters.reset()
    check_layout(steps, [frame, frame["a"] > 0, np.arange(999, -1, -7)])
    assert counters.snapshot().fallbacks == {}


def test_only_what_is_read_is_filtered(monkeypatch):
    from stratum_dask.ops.direct import gather

    columns = []
    monkeypatch.setattr(
        gather,
        "_native",
        type("Spy", (), {"gather": lambda *args: columns.append(args[1])}),
    )
    frame = _flights()
    steps = (
        step("operator.getitem", Ref(0), Ref(1)),
        step("operator.getitem", Ref(2), ["a", "c"]),
    )
    FusedFrame(steps, 2)(frame, frame["a"] > 0)
    assert len(columns) == 2


@given(
    wide(),
    st.sampled_from(["a", "w", "v", "unknown"]),
    st.sampled_from(
        [
            [],
            [step("operator.add", Ref(1), "x")],
            [step("operator.eq", Ref(1), "a")],
            [step(".isna", Ref(1))],
            [step("getattr", Ref(1), "str"), step(".len", Ref(2))],
            [step("stratum.with_column", Ref(0), "copy", Ref(1))],
        ]
    ),
)
def test_columns_by_label(frame, label, calls):
    check_layout([step("operator.getitem", Ref(0), label), *calls], [frame])


@given(
    wide(),
    st.slices(8) | st.sampled_from([slice(None), slice(-2, 100), slice("a", "b"), slice(0.5)]),
    st.booleans(),
)
def test_slices_of_rows(frame, rows, of_column):
    value = frame["w"] if of_column and "w" in frame else frame
    check_layout([step("getattr", Ref(0), "iloc"), step("operator.getitem", Ref(1), rows)], [value])


def test_errors_of_native_calls_name_their_step():
    pick = Step("operator.getitem", operator.getitem, (Ref(0), "unknown"), {}, "the pick")
    with pytest.raises(KeyError) as caught:
        FusedFrame((pick,), 1)(_flights())
    assert caught.value.__notes__ == ["in step 'the pick'"]
