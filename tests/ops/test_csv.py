"""CSV that is read natively can't be told from what pandas reads, and the rest is left to it."""

from __future__ import annotations

import contextlib
import os
import warnings
from unittest.mock import patch

import dask
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from pandas._libs import parsers
from pandas.io.parsers import readers

import stratum_dask as sd
from stratum_dask.demo.data import flight_tables
from stratum_dask.ops import counters
from stratum_dask.ops.csv import ReadCsv, read_csv
from stratum_dask.ops.steps import Unsupported

pytestmark = pytest.mark.skipif(
    Version(pd.__version__).release[:2] != (3, 1), reason="pandas reads these files otherwise"
)

MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)
WORDS = (
    *("a", "N14228", "2013-01-01", "12:30", "é", "1.2.3", "12a", "-", "x, y", 'the "x"', "None!"),
    *("abcdefghijklmno", "abcdefghijklmnop", "abcdefghijklmnopq", "long " * 9),
)
INTEGERS = st.one_of(
    st.integers(-9, 9), st.integers(-(10**8), 10**8), st.integers(-(2**63), 2**63)
).map(str)
FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-1000, 1000, places=2).map(str),
    st.from_regex(r"-?[0-9]{1,20}\.[0-9]{0,20}", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,4}[eE][+-]?[0-9]{1,3}", fullmatch=True),
)
ODD = st.text("0123456789+-.eExX_ \tinfatyINFTRUELS#/<>\"'é,dD", max_size=6)
CELLS = (
    INTEGERS,
    FLOATS,
    st.sampled_from(("True", "False")),
    st.sampled_from(("true", "FALSE", "TRUE")),
    st.sampled_from(WORDS),
    st.sampled_from(MISSING),
)


@st.composite
def columns(draw, rows):
    """Cells of which most are of one type, in quotes where they need or happen to have them."""
    base = draw(st.sampled_from(CELLS))
    other = draw(st.sampled_from((base, base, *CELLS, ODD)))
    from_row = draw(st.integers(0, rows))
    seldom = draw(st.sampled_from((0, 0, 3)))
    cells = []
    for row in range(rows):
        which = other if row >= from_row else base
        if seldom and draw(st.integers(0, seldom)) == 0:
            which = st.sampled_from(MISSING)
        cells.append(draw(which))
    always = draw(st.booleans())
    return [quoted(cell) if always or set(cell) & set(',"') else cell for cell in cells]


def quoted(cell):
    return '"' + cell.replace('"', '""') + '"'


@st.composite
def files(draw):
    """Bytes of a file, sometimes with something wrong in them."""
    rows = draw(st.integers(1, 30))
    cells = [draw(columns(rows)) for _ in range(draw(st.integers(2, 4)))]
    name = st.sampled_from(("a", "b", "é", '"q,r"', "1", "", "Unnamed: 0", "a.1"))
    names = [draw(name) if draw(st.integers(0, 3)) == 0 else f"k{i}" for i in range(len(cells))]
    lines = [",".join(line) for line in (names, *zip(*cells, strict=True))]
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, rows))
        lines[place] += draw(st.sampled_from((",", "x", '"', "\r", "\0", " ", "\n", "\n ")))
    data = draw(st.sampled_from(("", "", "\ufeff"))) + "\n".join(lines)
    return data.encode() + draw(st.sampled_from((b"\n", b"", b"\n\n", b"\xff")))


def layout(frame):
    return [
        (block.mgr_locs.as_array.tolist(), str(block.dtype), block.values.shape)
        for block in frame._mgr.blocks
    ]


def check_same(actual, expected):
    """Compare all that can be seen of two frames."""
    assert layout(actual) == layout(expected)
    assert type(actual.index) is type(expected.index)
    assert actual.index.identical(expected.index)
    assert actual.columns.identical(expected.columns)
    for place in range(expected.shape[1]):
        one, other = actual.iloc[:, place], expected.iloc[:, place]
        assert one.dtype == other.dtype
        if other.dtype == "str":
            assert one.array._pa_array.type == other.array._pa_array.type
            assert one.array._pa_array.equals(other.array._pa_array)
            one.array._pa_array.validate(full=True)
        else:
            assert one.to_numpy().tobytes() == other.to_numpy().tobytes()
            assert one.to_numpy().flags.writeable == other.to_numpy().flags.writeable
            assert one.to_numpy().flags.c_contiguous


def attempted(path, **options):
    """Return whether a file was read natively; then pandas reads the same without a word."""
    try:
        actual = read_csv(path, **options)
    except Unsupported:
        return False
    with warnings.catch_warnings(action="error"):
        check_same(actual, pd.read_csv(path, **options))
    return True


@contextlib.contextmanager
def small_parts(threads, part_rows, chunk_cells):
    """Let pandas divide small files as it does large ones."""
    with (
        patch.object(readers, "_PARALLEL_READ_MIN_BYTES", 20),
        patch.object(readers, "_PARALLEL_MIN_CHUNK_ROWS", part_rows),
        patch.object(parsers, "DEFAULT_BUFFER_HEURISTIC", chunk_cells),
        pd.option_context("mode.max_threads", threads),
    ):
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(tmp_path_factory.mktemp("csv") / "file.csv")


@given(
    data=files(),
    threads=st.sampled_from((1, 2, 3)),
    part_rows=st.sampled_from((1, 3, 10)),
    chunk_cells=st.sampled_from((8, 32, 1 << 20)),
    options=st.sampled_from(({}, {}, {"low_memory": False}, {"sep": ",", "engine": "c"})),
)
def test_all_files_are_read_as_pandas_reads_them(
    place, data, threads, part_rows, chunk_cells, options
):
    with open(place, "wb") as file:
        file.write(data)
    with small_parts(threads, part_rows, chunk_cells):
        attempted(place, **options)


@pytest.mark.parametrize(
    "column",
    [
        *(["1", "-20", "007"], ["1", "NA", "3"], ["1", "2.5"], ["-0.0", ".5", "1."]),
        *(["1e400", "1"], ["9223372036854775807", "-9223372036854775807"]),
        *(["0.1", "123456789012345678901.5"], ["0.1", "5e-324"]),
        *(["True", "false"], ["x", "", "1"], ["", "NA"], ['"a, b"', '""', '"say ""x"""']),
        *(["é", "日本語"], ["a" * 40, "b" * 16], ["1.5", "2.25", "-3.125"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("end", ["\n", ""])
def test_what_is_plain_is_read_natively(tmp_path, column, end):
    path = tmp_path / "plain.csv"
    rows = [f"{cell},{row}" for row, cell in enumerate(column)]
    path.write_text("\n".join(["a,b", *rows]) + end, encoding="utf-8")
    if column == ["1e400", "1"]:
        assert not attempted(str(path))  # infinite, which only pandas says
    else:
        assert attempted(str(path))
        assert attempted(path, header=0, encoding="utf-8")


REFUSED = {
    b"a,b\r\n1,2\r\n": "carriage returns",
    b"a,b\n1,\0\n": "zero bytes",
    b"a,b\n1,2,3\n": "rows of different lengths",
    b"a,b\n1\n": "rows of different lengths",
    b"a,b\n1,2\n\n3,4\n": "rows of different lengths",
    b"a,b\n1\n2,3,4\n": "rows of different lengths",
    b"a\n1\n": "a single column",
    b"a,b\n": "no rows",
    b"\na,b\n1,2\n": "a first line without names",
    b'a,b\n1,"x\ny"\n': "newlines inside of quotes",
    b'a,b\n1,x"y"\n': "quotes inside of cells",
    b'a,b\n1,"x"y\n': "quotes inside of cells",
    b"a,b\n1,\xff\n": "bytes that are not UTF-8",
    b"a,b\n1,18446744073709551615\n": "integers of more than 64 bits",
    b"a,b\n18446744073709551615,x\nx,x\n": "integers of more than 64 bits",
    b"a,b\n1,True\n1,\n": "columns of several types",
    b"a,b\n1,inf\n": "columns of several types",
    b"a,b\n1,-0\n": "columns of several types",
    b"a,b\n1,+5\n": "columns of several types",
    b"a,b\n1, 5\n": "columns of several types",
}


def outcome(read, path):
    try:
        return read(path), None
    except Exception as error:
        return None, error


@pytest.mark.parametrize("data", REFUSED, ids=str)
def test_what_is_unusual_is_left_to_pandas_and_counted(tmp_path, data):
    path = str(tmp_path / "unusual.csv")
    with open(path, "wb") as file:
        file.write(data)
    counters.reset()
    read = ReadCsv("pandas.read_csv", pd.read_csv)
    expected, error = outcome(pd.read_csv, path)
    actual, actual_error = outcome(read, path)
    assert (type(actual_error), str(actual_error)) == (type(error), str(error))
    if error is None:
        pd.testing.assert_frame_equal(actual, expected)
    else:
        assert type(actual_error.__context__) is type(error.__context__)
    (why,) = counters.snapshot().fallbacks
    assert (why.operation, why.reason) == ("pandas.read_csv", REFUSED[data])


def test_columns_of_several_types_warn_as_pandas_warns(tmp_path):
    path = str(tmp_path / "mixed.csv")
    with open(path, "w") as file:
        file.write("a,b\n" + "1,2\n" * 40 + "1,x\n")
    with small_parts(1, 1, 16), pytest.warns(pd.errors.DtypeWarning, match=r"1: b"):
        found = ReadCsv("pandas.read_csv", pd.read_csv)(path)
    assert found["b"].dtype == object


@pytest.mark.parametrize(
    "options",
    [
        *({"usecols": ["a"]}, {"nrows": 1}, {"dtype": {"a": float}}, {"index_col": 0}),
        *({"sep": ";"}, {"header": None}, {"na_values": ["x"]}, {"parse_dates": []}),
        *({"encoding": "latin-1"}, {"skiprows": 1}, {"keep_default_na": False}),
    ],
    ids=str,
)
def test_other_arguments_are_left_to_pandas(tmp_path, options):
    path = str(tmp_path / "table.csv")
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_csv(path, index=False)
    counters.reset()
    actual = ReadCsv("pandas.read_csv", pd.read_csv)(path, **options)
    pd.testing.assert_frame_equal(actual, pd.read_csv(path, **options))
    (why,) = counters.snapshot().fallbacks
    assert why.reason == f"the argument {next(iter(options))}"


@pytest.mark.parametrize("option", ["mode.string_storage", "future.infer_string"])
def test_strings_that_are_stored_otherwise_are_left_to_pandas(tmp_path, option):
    path = str(tmp_path / "table.csv")
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_csv(path, index=False)
    with (
        warnings.catch_warnings(action="ignore", category=DeprecationWarning),
        pd.option_context(option, "python" if option.startswith("mode") else False),
        pytest.raises(Unsupported, match="stored otherwise"),
    ):
        read_csv(path)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_large_files_are_read_as_pandas_reads_them(tmp_path, threads):
    """Several megabytes: many pieces and parts, types that change far inside."""
    path, rows = str(tmp_path / "large.csv"), 120_000
    numbers = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "text": numbers.choice(["one", "two", "é", "a longer one, in quotes", None], rows),
            "float": numbers.normal(size=rows),
            "decimal": numbers.integers(0, 10_000, rows) / 100,
            "integer": numbers.integers(-100, 100, rows),
            "id": numbers.integers(0, 2**62, rows),
            "bool": numbers.random(rows) < 0.5,
            "nothing": np.nan,
        }
    )
    frame["late"] = np.where(frame.index < rows - 5, frame["integer"], np.nan)
    frame["late text"] = np.where(frame.index < rows - 60_000, "x", "1")
    frame.to_csv(path, index=False, float_format="%.17g")
    assert os.path.getsize(path) > readers._PARALLEL_READ_MIN_BYTES
    frame["late text"] = "x"
    with pd.option_context("mode.max_threads", threads):
        assert not attempted(path)  # the last rows might be numbers
        frame.to_csv(path, index=False, float_format="%.17g")
        assert attempted(path)
        assert attempted(path, low_memory=False)


def test_wide_files_are_read_as_pandas_reads_them(tmp_path):
    path, numbers = str(tmp_path / "wide.csv"), np.random.default_rng(0)
    frame = pd.DataFrame(numbers.integers(-99, 99, (200, 700))).astype({0: "str", 300: "float"})
    frame.iloc[150, 300] = np.nan
    frame[0] = "x" + frame[0]
    frame.to_csv(path, index=False)
    assert attempted(path)


@pytest.mark.parametrize("table", ["flights", "planes", "weather", "airports", "airlines"])
def test_the_flights_are_read_natively(table):
    assert attempted(str(flight_tables() / f"{table}.csv"))


def test_batches_read_natively(tmp_path):
    path = str(tmp_path / "table.csv")
    pd.DataFrame({"a": [1, 2], "b": [0.5, None]}).to_csv(path, index=False)
    counters.reset()
    batch = [delayed(pd.read_csv)(path)["a"].sum(), delayed(pd.read_csv)(path)["b"].sum()]
    assert dask.compute(*sd.optimize(batch)) == (3, 0.5)
    assert counters.snapshot().hits["pandas.read_csv"] == 1
    assert dask.compute(*sd.optimize([delayed(pd.read_csv)(path)]))[0].equals(pd.read_csv(path))
    assert counters.snapshot().hits["pandas.read_csv"] == 2


def test_columns_outlive_the_file_and_each_other(tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame({"a": range(100_000), "s": ["text"] * 100_000}).to_csv(path, index=False)
    frame = read_csv(path)
    column, text = frame["a"], frame["s"]
    path.unlink()
    del frame
    assert column.sum() == sum(range(100_000))
    assert text.nunique() == 1
    column.iloc[0] = 7
    assert column.iloc[0] == 7
