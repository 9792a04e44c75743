"""The same bits whatever instructions the processor has, and without NumPy's inner loops."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler, StandardScaler

from stratum_dask.families.nearest import nearest
from stratum_dask.ops import counters, direct
from stratum_dask.ops.frames import FusedFrame, builder
from stratum_dask.ops.steps import Ref
from tests.ops.oracle import check, step


def table(rows):
    rng = np.random.default_rng(0)
    floats = rng.normal(0, 1e3, rows)
    floats[rng.random(rows) < 0.1] = np.nan
    return pd.DataFrame(
        {
            "f": floats,
            "g": rng.normal(size=rows),
            "h": rng.normal(size=rows).astype("float32"),
            "i": rng.integers(-(2**62), 2**62, rows),
            "j": rng.integers(-100, 100, rows).astype("int8"),
            "t": rng.random(rows) < 0.5,
            "s": pd.array(rng.choice(["a", "bb", "ccc", None], rows), dtype="str"),
            "d": pd.Timestamp("2013-01-01") + pd.to_timedelta(rng.integers(0, 10**8, rows), "s"),
        }
    )


def results(rows=5_003):
    """Yield values that all kinds of kernels compute."""
    frame, x = Ref(0), Ref(1)
    data = table(rows)

    def run(*steps):
        return FusedFrame(steps, 1)(data)

    for column in "fghij":
        first = step("operator.getitem", frame, column)
        for op, *args in (
            ("operator.mul", x, 1.1),
            ("operator.truediv", x, x),
            ("operator.floordiv", x, 7),
            ("operator.mod", x, 7),
            ("operator.gt", x, 0),
            ("operator.neg", x),
            (".abs", x),
            (".fillna", x, 0),
            (".clip", x, -1, 50),
            (".isna", x),
            (".sum", x),
            (".mean", x),
            (".std", x),
            (".min", x),
            (".max", x),
            (".median", x),
            (".astype", x, "float64"),
        ):
            yield run(first, step(op, *args))
    numbers = step("operator.getitem", frame, ["f", "g"])
    size = numbers, step(".abs", x), step("numpy.log1p", Ref(2))
    yield run(*size, step("numpy.sqrt", Ref(3)), step(".sum", Ref(4)))
    kept = step("operator.getitem", frame, "t")
    yield run(kept, step("operator.getitem", frame, x))
    by = step(".groupby", frame, "s")
    yield run(by, step("operator.getitem", x, "f"), step(".transform", Ref(2), "mean"))
    dates = step("operator.getitem", frame, "d"), step("getattr", x, "dt")
    for field in ("year", "month", "day", "hour", "minute"):
        yield run(*dates, step("getattr", Ref(2), field))
    for scaler in (StandardScaler(), RobustScaler()):
        chain = ColumnTransformer(
            [
                ("n", make_pipeline(SimpleImputer(strategy="median"), scaler), ["f", "g", "j"]),
                ("s", OneHotEncoder(), ["s"]),
            ]
        )
        for threshold in (0.0, 1.0):
            chain.set_params(sparse_threshold=threshold)
            made = direct.call(".fit_transform", (chain, data), {})
            yield made if threshold == 0 else made.toarray()
    rng = np.random.default_rng(1)
    yield from nearest(rng.normal(size=(3_000, 9)), rng.normal(size=(100, 9)), 50)


def digest(values):
    told = hashlib.blake2b()
    for value in values:
        columns = [value[name] for name in value] if isinstance(value, pd.DataFrame) else [value]
        for array in map(np.asarray, columns):
            told.update(str(array.dtype).encode())
            if array.dtype.kind == "f":
                array = np.where(np.isnan(array), np.nan, array)  # one NaN is like another
            plain = array.dtype.kind in "biufM"
            told.update(array.tobytes() if plain else repr(array.tolist()).encode())
    return told.hexdigest()


def in_process(code, **variables):
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_the_same_bits_with_and_without_avx():
    counters.reset()
    expected = digest(results())
    assert {one.dtype for one in counters.snapshot().fallbacks} <= {"float32"}
    code = "from tests.native.test_portability import digest, results; print(digest(results()))"
    for level in ("baseline", "avx2"):
        assert in_process(code, STRATUM_SIMD=level) == expected, level


def test_shipped_sources_take_the_same_instructions_for_granted(tmp_path):
    command = [sys.executable, "-m", "maturin", "sdist", "--out", str(tmp_path)]
    root = Path(__file__).parents[2]
    subprocess.run(command, cwd=root, capture_output=True, check=True)
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as files:
        [name] = [name for name in files.getnames() if name.endswith(".cargo/config.toml")]
        shipped = files.extractfile(name)
        assert shipped is not None
        assert shipped.read() == (root / ".cargo" / "config.toml").read_bytes()
    assert name.count("/") == 2  # at the top, where cargo looks for it


def test_inner_loops_of_another_layout_are_not_used():
    """What does not look like NumPy's own is left alone, and nothing else is."""
    code = """
import math
import numpy as np
np.log1p, np.sqrt = np.exp, np.frompyfunc(math.sqrt, 1, 1)
np.log2 = lambda x: x
from stratum_dask import _native
print(*sorted(name for name, dtype in _native.ufunc_loops() if dtype == "f64"))
"""
    found = set(in_process(code).split())
    assert {"exp", "log", "expm1"} <= found
    assert found.isdisjoint({"log1p", "sqrt", "log2"})


@pytest.mark.parametrize("op", ["numpy.log1p", "numpy.sqrt", "operator.pow", "numpy.maximum"])
def test_the_plain_ufunc_takes_the_place_of_an_inner_loop(op, monkeypatch):
    monkeypatch.setattr(builder, "_LOOPS", frozenset())
    operands = (Ref(1), 2.5) if op in ("operator.pow", "numpy.maximum") else (Ref(1),)
    steps = [step("operator.getitem", Ref(0), "g"), step(op, *operands)]
    counters.reset()
    check(steps, [table(50)])
    reasons = {one.operation: one.reason for one in counters.snapshot().fallbacks}
    if op != "numpy.maximum":
        assert reasons == {op: "no such inner loop"}
