"""Strings: native and pandas can't be told apart, and what should run natively does."""

from __future__ import annotations

import contextlib
import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters, direct
from stratum_dask.ops.direct import dictionary, lengths
from stratum_dask.ops.direct.casing import CASES
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref, Step, Unsupported
from tests.ops.generate import indexes
from tests.ops.oracle import check, fallbacks, step

pytestmark = pytest.mark.usefixtures("few_rows_too")

WORDS = [
    "",
    " ",
    "a",
    "A",
    " a ",
    "ab",
    "AB",
    "abc def",
    "a.c",
    "12",
    "İ",
    "ß",
    "ΑΣ",
    "naïve",
    "日本",
    "eightby8",
    "nine by 9",
    "longer than sixteen bytes",
    "longer than sixteen bytez",
    "nul\0nul",
    "nul",
    "nan",
    "\t",
    "\u2003",
]


@st.composite
def columns(draw: st.DrawFn) -> pd.Series:
    """A column of strings in one or several chunks, perhaps a slice of a longer one."""
    words: Any = st.sampled_from(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6)))
    words = st.one_of(words, words, st.text(max_size=3)) if draw(st.booleans()) else words
    rows = draw(
        st.lists(st.one_of(words, st.none()) if draw(st.booleans()) else words, max_size=30)
    )
    index = draw(indexes(len(rows)))
    column = pd.Series(rows, index=index, dtype="str", name=draw(st.sampled_from(["s", None, 3])))
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(rows)))
        column = pd.concat([column[:cut], column[cut:]])
    return column[1:] if draw(st.integers(0, 3)) == 0 else column


def ran_natively(steps: list[Step], *inputs: Any) -> bool:
    counters.reset()
    for column in inputs:
        if isinstance(column.dtype, pd.StringDtype) and column.dtype == "str" and len(column):
            with contextlib.suppress(Unsupported):
                dictionary.dictionary_of(column)
    outcome = check(steps, list(inputs))
    return outcome.error is not None or not counters.snapshot().fallbacks


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((f".{name}", (), {}) for name in ["lower", "upper", "strip", "lstrip", "rstrip", "len"]),
    *((f".{name}", (), {}) for name in ["title", "capitalize", "swapcase", "casefold"]),
    *((f".{name}", (), {}) for name in ["isdigit", "isalpha", "isupper", "isspace"]),
    *((f".{name}", (), {}) for name in ["isalnum", "isdecimal", "islower", "isnumeric", "istitle"]),
    *((f".{name}", (5,), {}) for name in ["center", "ljust", "rjust"]),
    (".strip", ("a ",), {}),
    (".contains", ("a",), {}),
    (".contains", ("a.c",), {"regex": False}),
    (".contains", ("a.c",), {}),
    (".contains", ("A",), {"case": False}),
    (".contains", ("(a)",), {}),
    (".contains", ("a",), {"na": True}),
    (".startswith", ("a",), {}),
    (".startswith", (("a", "A"),), {}),
    (".endswith", ("c",), {}),
    (".match", ("a",), {}),
    (".fullmatch", ("ab?",), {}),
    (".count", ("a",), {}),
    (".find", ("a",), {}),
    (".rfind", ("a", 1), {}),
    (".replace", ("a", "xyz"), {}),
    (".replace", ("a", ""), {"regex": False}),
    (".replace", ("[a-b]", "-"), {"regex": True}),
    (".slice", (1, 3), {}),
    (".slice", (), {"stop": 2}),
    (".get", (1,), {}),
    (".zfill", (4,), {}),
    (".pad", (4,), {"side": "both", "fillchar": "*"}),
    (".removeprefix", ("a",), {}),
    (".removesuffix", ("c",), {}),
    (".slice_replace", (0, 1, "z"), {}),
    (".extract", ("(a)(.)",), {}),
    (".extract", ("(a)",), {"expand": False}),
    (".split", ("a",), {"expand": True}),
    (".rsplit", (" ",), {"expand": True, "n": 1}),
    (".partition", ("a",), {"expand": True}),
    ("operator.getitem", (0,), {}),
    ("operator.getitem", (slice(None, 2),), {}),
    ("operator.getitem", (slice(None, None, -1),), {}),
    # errors
    (".contains", ("(",), {}),
    (".zfill", ("x",), {}),
    (".strip", (1,), {}),
    (".startswith", ("a", "b", "c", "d"), {}),
]


@given(columns(), st.sampled_from(CALLS))
def test_methods_of_the_accessor(column, call):
    op, args, kwargs = call
    steps = [step("getattr", Ref(0), "str"), step(op, Ref(1), *args, **kwargs)]
    assert ran_natively(steps, column) or column.empty


@given(columns(), st.sampled_from(sorted(CASES)))
def test_letters_change_without_a_dictionary(column, name):
    dictionary.forget()
    counters.reset()
    check([step("getattr", Ref(0), "str"), step(f".{name}", Ref(1))], [column])
    ascii_only = all(type(word) is not str or word.isascii() for word in column)
    assert not (ascii_only and len(column)) or not counters.snapshot().fallbacks


ON_SERIES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((f"operator.{name}", ("a",), {}) for name in ["eq", "ne", "lt", "le", "gt", "ge"]),
    (".eq", ("a",), {}),
    (".isin", (["a", "ab", 3],), {}),
    (".isin", (("a", None),), {}),
    (".isin", ({"a", ""},), {}),
    (".isin", ([],), {}),
    (".map", ({"a": 1, "A": 2},), {}),
    (".map", ({word: i for i, word in enumerate(WORDS)},), {}),
    (".map", ({"a": 1.5, "": None},), {}),
    (".map", ({"a": "x", "A": "y"},), {}),
    (".map", ({word: i % 2 == 0 for i, word in enumerate(WORDS)},), {}),
    (".map", (pd.Series([1, 2], index=["a", "ab"]),), {}),
    (".replace", ("a", "b"), {}),
    (".replace", (["a", "ab"], "b"), {}),
    (".replace", ({"a": "b", "ab": "é"},), {}),
    (".replace", ("a", "b"), {"regex": True}),
    (".astype", ("category",), {}),
    (".factorize", (), {}),
    (".factorize", (), {"sort": True}),
    ("pandas.factorize", (), {}),
    (".value_counts", (), {}),
    (".value_counts", (), {"normalize": True}),
    (".value_counts", (), {"sort": False}),
    (".value_counts", (), {"ascending": True}),
    (".mode", (), {}),
    ("operator.add", ("-",), {}),
    (".nunique", (), {}),
    (".unique", (), {}),
    ("pandas.get_dummies", (), {}),
    ("pandas.get_dummies", (), {"prefix": "p", "prefix_sep": "."}),
    ("pandas.get_dummies", (), {"drop_first": True}),
    ("pandas.get_dummies", (), {"dummy_na": True}),
    ("pandas.get_dummies", (), {"dtype": "int64"}),
    ("pandas.get_dummies", (), {"dtype": float}),
    # left to pandas
    (".fillna", ("a",), {}),
    (".map", ({"a": (1,)},), {}),
    (".map", (str.upper,), {}),
    (".isin", (pd.Series(["a"]),), {}),
    (".value_counts", (), {"dropna": False}),
    (".value_counts", (), {"bins": 2}),
    (".fillna", (1,), {}),
    (".replace", ("a", 1), {}),
    (".replace", ("a",), {}),
    ("operator.eq", (1,), {}),
    ("operator.add", (1,), {}),
    ("pandas.get_dummies", (), {"dtype": object}),
]


@given(columns(), st.sampled_from(ON_SERIES))
def test_methods_of_the_column(column, call):
    op, args, kwargs = call
    check([step(op, Ref(0), *args, **kwargs)], [column])


@pytest.mark.parametrize("call", ON_SERIES[:-12], ids=lambda call: f"{call[0]}{call[1:]}"[:40])
def test_methods_of_the_column_run_natively(call):
    op, args, kwargs = call
    assert ran_natively([step(op, Ref(0), *args, **kwargs)], pd.Series(["a", "ab", "a"] * 9))


SPLITS = st.sampled_from(
    [
        (".split", ("a",), {}),
        (".split", (), {}),
        (".split", (" ",), {"n": 1}),
        (".rsplit", ("b",), {"n": 1, "expand": False}),
        (".split", ("a.",), {"regex": True}),
        (".split", (1,), {}),
        (".split", ("(",), {"regex": True}),
    ]
)


@given(columns(), SPLITS, st.sampled_from([0, 1, -1, 5]), st.booleans())
def test_pieces_of_split_strings(column, call, item, method):
    op, args, kwargs = call
    split = [step("getattr", Ref(0), "str"), step(op, Ref(1), *args, **kwargs)]
    check(split, [column])
    take = ".get" if method else "operator.getitem"
    pieces = [*split, step("getattr", Ref(2), "str"), step(take, Ref(3), item)]
    check(pieces, [column])
    check([*pieces, step(take, Ref(3), 0), step("operator.eq", Ref(4), Ref(5))], [column])
    check([*pieces, step(".len", Ref(3))], [column])


def test_pieces_run_natively():
    column = pd.Series(["a/b/c", "d", None] * 9, dtype="str")
    steps = [
        step("getattr", Ref(0), "str"),
        step(".split", Ref(1), "/"),
        step("getattr", Ref(2), "str"),
        step("operator.getitem", Ref(3), 1),
    ]
    assert ran_natively(steps, column)


NUMERALS = ["1", "2", "-3", "4.5", "1e3", "", "x", " 7 ", "nan", "inf", "9" * 20]


@given(st.data())
def test_numerals(data):
    words = data.draw(st.lists(st.sampled_from(NUMERALS), min_size=1, max_size=4))
    items = st.one_of(st.sampled_from(words), st.none())
    column = pd.Series(data.draw(st.lists(items, max_size=20)), dtype="str", name="n")
    for dtype in (int, float, "int64", "float32", "int8", bool, "bool"):
        check([step(".astype", Ref(0), dtype)], [column])
    for errors in ("raise", "coerce", "ignore"):
        check([step("pandas.to_numeric", Ref(0), errors=errors)], [column])


@given(st.data())
def test_two_columns_of_strings(data):
    left = data.draw(columns())
    index = left.index if data.draw(st.integers(0, 4)) else data.draw(indexes(len(left)))
    items = st.one_of(st.sampled_from(WORDS), st.none())
    strings = data.draw(st.lists(items, min_size=len(left), max_size=len(left)))
    right = pd.Series(
        strings, index=index, dtype="str", name=data.draw(st.sampled_from(["s", "t"]))
    )
    check([step("operator.add", Ref(0), Ref(1))], [left, right])
    underlined = [step("operator.add", Ref(0), "_"), step("operator.add", Ref(2), Ref(1))]
    check(underlined, [left, right])
    check([*underlined, step(".value_counts", Ref(3))], [left, right])
    check([*underlined, step(".astype", Ref(3), "category")], [left, right])
    for text in ("_", "", "é" * 20, "\ud800"):
        check([step("operator.add", text, Ref(0)), step("operator.add", Ref(1), text)], [left])
    array = np.array(["x"] * data.draw(st.sampled_from([len(left), 3])), dtype=object)
    check([step("operator.add", Ref(0), array)], [left])
    for sep in (None, "-", 1):
        accessor = step("getattr", Ref(0), "str")
        check([accessor, step(".cat", Ref(2), Ref(1), sep=sep)], [left, right])


def test_two_columns_run_natively():
    left = pd.Series(["a", "b", None] * 30, dtype="str")
    right = pd.Series(["x", None, "y", "x"] * 25, dtype="str")[:90]
    assert ran_natively([step("operator.add", Ref(0), Ref(1))], left, right)
    accessor = step("getattr", Ref(0), "str")
    assert ran_natively([accessor, step(".cat", Ref(2), Ref(1), sep="-")], left, right)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A frame of strings and other columns."""
    column = draw(columns())
    frame = pd.DataFrame({"s": column, "n": np.arange(len(column)) * 0.5})
    frame["t"] = column.iloc[::-1].array
    kind = draw(st.sampled_from(["none", "none", "object", "category", "Int64"]))
    if kind != "none":
        frame["o"] = pd.Series([1] * len(column), index=frame.index, dtype=kind)
    return frame


@pytest.mark.parametrize("words", [["a", "a", "b"], ["a", "b", "b"]])
@pytest.mark.parametrize("options", [{}, {"sort": False}, {"normalize": True}])
def test_counts_can_be_written_to_as_in_pandas(words, options):
    """Those of Arrow, which pandas puts in order only where they are not, can't."""
    column = pd.Series(words * 100, dtype="str")
    counted = step(".value_counts", Ref(0), **options)
    actual, expected = FusedFrame((counted,), 1)(column), column.value_counts(**options)
    assert actual.array._ndarray.flags.writeable == expected.array._ndarray.flags.writeable
    copy = FusedFrame((counted, step(".copy", Ref(1))), 1)(column)
    copy.iloc[0] = 7
    assert copy.tolist()[1:] == actual.tolist()[1:] == expected.tolist()[1:]


@given(tables(), st.data())
def test_dummies_of_frames(frame, data):
    options = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "columns": st.sampled_from([["s"], ["t", "s"], ["n"], ["s", "no"], "s", []]),
                "drop_first": st.booleans(),
                "dummy_na": st.booleans(),
                "dtype": st.sampled_from([int, float, "int8", bool]),
                "prefix": st.sampled_from(["p", ["p", "q"], {"s": "p"}]),
                "prefix_sep": st.sampled_from(["_", "."]),
            },
        )
    )
    check([step("pandas.get_dummies", Ref(0), **options)], [frame])
    check([step("operator.getitem", Ref(0), ["s", "t"]),
           step("pandas.get_dummies", Ref(1), **options)], [frame])  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"columns": ["s"]}])
def test_blocks_beside_dummies(options):
    """Named columns are dropped, strings that pandas finds itself leave the blocks as they are."""
    table = pd.DataFrame({"f": 1.5, "i": range(9), "g": 0.5, "s": list("abc") * 3, "j": 2}).copy()
    for frame in (
        table,
        table[["i", "f", "s", "g"]],
        table[["s", "g", "i", "f", "j"]],
        table.assign(f=0.5, h=1),
        table.drop(columns="i").reset_index(),
    ):
        counters.reset()
        steps = [step("pandas.get_dummies", Ref(0), **options)]
        check(steps, [frame])
        assert not fallbacks()


@given(tables(), st.sampled_from([["s"], ["s", "t"], ["s", "n"], []]))
def test_categories_of_frames(frame, names):
    chosen = step("operator.getitem", Ref(0), names)
    check([chosen, step(".astype", Ref(1), "category")], [frame])


def test_frames_run_natively():
    frame = pd.DataFrame({"s": ["a", "b", None] * 9, "n": 1.5, "t": ["x", "y", "x"] * 9})
    for options in ({}, {"columns": ["s"]}, {"drop_first": True, "dtype": int}):
        counters.reset()
        check([step("pandas.get_dummies", Ref(0), **options)], [frame])
        assert not counters.snapshot().fallbacks
    counters.reset()
    chosen = step("operator.getitem", Ref(0), ["s", "t"])
    check([chosen, step(".astype", Ref(1), "category")], [frame])
    assert not counters.snapshot().fallbacks


@given(columns())
def test_a_chain_of_calls(column):
    steps = [
        step("getattr", Ref(0), "str"),
        step(".lower", Ref(1)),
        step("getattr", Ref(2), "str"),
        step(".strip", Ref(3)),
        step(".astype", Ref(4), "category"),
        step("getattr", Ref(5), "cat"),
        step("getattr", Ref(6), "codes"),
    ]
    check(steps, [column])
    check([*steps[:4], step(".value_counts", Ref(4))], [column])
    check([*steps[:4], step(".map", Ref(4), {"a": 1})], [column])


def test_many_distinct_strings_are_left_to_pandas():
    column = pd.Series([f"row {i}" for i in range(10_000)])
    assert not ran_natively([step("getattr", Ref(0), "str"), step(".strip", Ref(1))], column)


TESTS = st.one_of(
    st.tuples(st.sampled_from(["operator.eq", "operator.ne", ".eq"]), st.sampled_from(WORDS)),
    st.tuples(st.just(".isin"), st.lists(st.sampled_from([*WORDS, None, "\ud800"]), max_size=10)),
    st.tuples(
        st.sampled_from([".startswith", ".endswith"]),
        st.sampled_from([*WORDS, "n", "l", "longer than sixteen", "bytez", ("a", "A"), "\ud800"]),
    ),
    st.just((".len",)),
)


@given(columns(), TESTS, st.booleans())
def test_rows_one_by_one(column, test, long):
    column = pd.concat([column] * 9, ignore_index=True)[::-1] if long else column
    op, *args = test
    if op in (".startswith", ".endswith", ".len"):
        check([step("getattr", Ref(0), "str"), step(op, Ref(1), *args)], [column])
    else:
        check([step(op, Ref(0), *args)], [column])


@pytest.mark.parametrize("rows", [10_000, 110_000])
def test_rows_run_natively_one_by_one(rows):
    column = pd.Series([f"row {i % 10_000}" for i in range(rows)])
    text = step("getattr", Ref(0), "str")
    for steps in (
        [step("operator.eq", Ref(0), "row 7")],
        [step(".isin", Ref(0), ["row 1", None, "row 77"])],
        [text, step(".startswith", Ref(1), "row 7")],
        [text, step(".endswith", Ref(1), "77")],
        [text, step(".len", Ref(1))],
    ):
        counters.reset()
        check(steps, [column])
        assert not fallbacks()


@pytest.mark.parametrize("rows", [100, 130, 5_000])
def test_most_strings_are_distinct(rows):
    strings = [f"{'row' * (i % 3)} {i * 7919 % rows}" for i in range(rows)]
    strings[3] = None
    column = pd.Series([*strings, *strings[:9]])
    assert ran_natively([step(".astype", Ref(0), "category")], column)
    assert ran_natively([step(".nunique", Ref(0))], column)
    counted = [step(".value_counts", Ref(0)), step(".map", Ref(0), Ref(1))]
    assert ran_natively(counted, column)
    for values in ([1, 2], [0.5, -0.0], np.array([1, 2], dtype="int8")):
        table = pd.Series(values, index=[column[0], "no row"])
        assert ran_natively([step(".map", Ref(0), table)], column)
    complete = column.dropna()
    assert ran_natively(counted, complete)
    assert ran_natively([step(".map", Ref(0), Ref(1))], complete, complete.value_counts() * 0.5)
    check([step(".map", Ref(0), pd.Series([1, 2], index=["a", "a"]))], [column])
    check([step(".map", Ref(0), pd.Series([True], index=["a"]))], [column])
    check([step(".map", Ref(0), pd.Series([1, 2], index=["a", None]))], [column])


def test_cheap_calls_wait_for_a_dictionary():
    column = pd.Series(["a", "b", "a"] * 5)
    steps = [step("getattr", Ref(0), "str"), step(".strip", Ref(1))]
    counters.reset()
    check(steps, [column])
    fallback = counters.Fallback(".strip", "str", "cheap in pandas")
    assert counters.snapshot().fallbacks == {fallback: 2}
    assert ran_natively(steps, column)


def test_few_rows_are_left_to_pandas(monkeypatch):
    monkeypatch.setitem(lengths.LEAST, "strings", 10)
    assert not ran_natively([step(".nunique", Ref(0))], pd.Series(["a"] * 9))
    assert ran_natively([step(".nunique", Ref(0))], pd.Series(["a"] * 10))


def test_other_dtypes_are_left_to_pandas():
    for dtype in ("object", "string", "category", pd.StringDtype("python", np.nan)):
        column = pd.Series(["a", "b", "a"], dtype=dtype)
        assert not ran_natively([step("getattr", Ref(0), "str"), step(".upper", Ref(1))], column)


def test_attrs_are_left_to_pandas():
    column = pd.Series(["a", "b", "a"])
    column.attrs["a"] = 1
    assert not ran_natively([step("getattr", Ref(0), "str"), step(".upper", Ref(1))], column)


def test_a_column_that_is_edited_is_encoded_again():
    column = pd.Series(["a", "b", "a"] * 5)
    before = dictionary.dictionary_of(column)
    assert dictionary.dictionary_of(column.copy()) is before
    column.iloc[0] = "new"
    assert dictionary.dictionary_of(column).array.tolist() == ["new", "b", "a"]


def test_dictionaries_go_with_their_columns():
    gc.collect()
    before = len(dictionary._living)
    columns = [pd.Series([f"{i}", "b"] * 50) for i in range(200)]
    for column in columns:
        dictionary.dictionary_of(column)
    assert len(dictionary._living) <= dictionary._MOST
    del columns, column
    gc.collect()
    assert len(dictionary._living) <= before


@pytest.mark.parametrize("call", [".unique", ".value_counts", ".factorize"])
def test_filled_strings_have_their_place_in_the_order(call):
    for rows in ([None, "a", "b"], ["a", None, "b"], ["a", "b", None], ["b", None, "a"]):
        for value in ("x", "a"):
            column = pd.Series(rows * 5, dtype="str")
            assert ran_natively([step(".fillna", Ref(0), value), step(call, Ref(1))], column)


def test_threads_share_dictionaries():
    columns = [pd.Series(["a", f"{i}"] * 1_000) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(dictionary.dictionary_of, columns * 20))
    for one, column in zip(found, columns * 20, strict=True):
        assert one.array.tolist() == ["a", column[1]]


def test_results_are_copied_on_write():
    column = pd.Series(["a", "b", "a"] * 5)
    dictionary.dictionary_of(column)
    upper = direct.call(".upper", (column.str,), {})
    kept = dictionary.dictionary_of(upper)
    upper.iloc[0] = "x"
    assert kept.array.tolist() == ["A", "B"]
    unique = pd.Series(dictionary.dictionary_of(column).array.copy())
    unique.iloc[0] = "x"
    assert dictionary.dictionary_of(column).array.tolist() == ["a", "b"]
