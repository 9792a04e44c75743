"""What ran natively and what did not is counted, with dtype and reason, wherever it ran."""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd
from stratum_dask.ops import counters
from stratum_dask.ops.counters import Fallback


@pytest.fixture(autouse=True)
def _from_zero():
    counters.reset()


def table(rows=8):
    return pd.DataFrame({"a": np.arange(rows) / 2, "b": np.arange(rows), "s": ["x"] * rows})


def batch():
    frame = dask.delayed(table)()
    return [frame["a"].fillna(0.0), (frame["b"] + 1).clip(0, 5), (frame["s"] + "y").clip("x")]


def test_dtypes_of_operands():
    frame = table()
    for value, dtypes in (
        (frame, "float64, int64, str"),
        (frame["s"], "str"),
        (frame["s"].astype("category"), "category"),
        (frame["a"].to_numpy(np.float32), "float32"),
        (frame.groupby("s"), "float64, int64, str"),
        (frame["s"].str, "str"),
        (frame.iloc, "float64, int64, str"),
        (frame.columns, "str"),
        (StandardScaler(), ""),
        (np.float64, ""),
        ("text", ""),
    ):
        assert counters.dtypes_of([value, None]) == dtypes


def test_threads_collect_their_own_counts():
    with counters.collecting() as outer:
        counters.hit("a")
        with counters.collecting() as inner:
            counters.fallback("b", [pd.Series([1])], "because")
        dask.compute([dask.delayed(counters.hit)("c")], scheduler="threads")
    fallbacks = {Fallback("b", "int64", "because"): 1}
    assert inner.counters() == counters.Counters({}, fallbacks)
    assert outer.counters() == counters.Counters({"a": 1}, fallbacks)
    assert counters.snapshot() == counters.Counters({"a": 1, "c": 1}, fallbacks)


def test_explains_what_has_run():
    expected = sd.explain(batch())
    assert expected.native == {"operator.getitem": 3, ".fillna": 1, "operator.add": 2, ".clip": 2}
    assert not expected.calls
    dask.compute(*sd.optimize(batch()), scheduler="sync")
    counters.hit("of another batch")
    explained = sd.explain(batch())
    found = explained.operations().set_index("operation")
    assert found.loc[".fillna"].tolist() == [1, "", "", 0, 1]
    added = found.loc["operator.add"]
    assert added.drop("reason").tolist() == [2, "str", 1, 1]
    assert "of another batch" not in found.index
    for text in (str(explained), explained._repr_html_()):
        assert "operator.add" in text
        assert added["reason"] in text
    assert "of another batch" in str(sd.counters())


def evaluated(**options):
    X = table(8_000)[["a", "b"]]
    steps = StandardScaler(), make_pipeline(StandardScaler(with_mean=False, copy=False))
    candidates = [make_pipeline(step, Ridge()) for step in steps]
    results = sd.evaluate(candidates, X, X["a"], cv=2, **options)
    assert not results.errors
    return results.explain().calls


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_counts_come_back_from_other_processes():
    from stratum_dask.runtime.processes import stop_processes

    stop_processes()  # those of other tests have counted, too
    expected = evaluated()
    assert expected.hits == {"stratum.fit_transform": 2, "stratum.transform": 2}
    assert expected.fallbacks == {
        Fallback("stratum.fit", "float64, int64", "copy"): 2,
        Fallback(".fit_transform", "float64, int64", "copy"): 4,  # the inner pipeline, its scaler
    }
    assert sd.counters() == counters.snapshot()
    before = counters.snapshot()
    try:
        assert evaluated(isolate="process") == expected
        assert counters.snapshot() == before
        assert sd.counters() == counters.total([before, expected])
    finally:
        stop_processes()
    with LocalCluster(n_workers=1, processes=True, dashboard_address=":0") as one, Client(one):
        assert evaluated() == expected
        dask.compute(*sd.optimize(batch()))
        found = sd.counters()
        assert found.hits[".fillna"] == 1
        assert found.of(expected.hits) == counters.total([before, expected]).of(expected.hits)
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as one, Client(one):
        assert sd.counters() == before  # its workers are this process
