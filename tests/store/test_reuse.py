"""Batches find in the store what earlier ones have computed, and never anything else."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import sklearn
from dask.utils import methodcaller
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from stratum_dask.environment import Environment
from stratum_dask.errors import InputChangedError
from stratum_dask.ops import stored
from stratum_dask.store import access, known, surroundings
from stratum_dask.store.behind import flush
from stratum_dask.store.speed import Speed
from stratum_dask.store.trouble import say
from tests.ops.oracle import assert_same


def slowly(name):
    """Take some milliseconds, and say so: printing is no effect that keeps tasks apart."""
    print(name)
    return sum(range(2_000_000))


def load(n):
    slowly("load")
    return pd.DataFrame({"a": np.arange(float(n)), "b": np.arange(n) % 7})


def features(frame, power):
    slowly("features")
    return pd.DataFrame({"x": frame["a"] ** power, "y": frame["b"]})


def model(frame):
    slowly("model")
    return frame.sum().sum()


def restart():
    """Do what a new process would do."""
    flush()
    access._opened.clear()
    access._failed.clear()


@pytest.fixture
def calls(capsys):
    """Return what was called since the last time, in the order of names."""
    return lambda: sorted(capsys.readouterr().out.split())


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    settings = {
        "stratum.store.url": str(tmp_path / "store"),
        "stratum.store.key": str(tmp_path / "key"),
        "scheduler": "threads",
    }
    say.cache_clear()
    monkeypatch.setattr(Speed, "observe", lambda *_: None)  # the machine may be busy
    with dask.config.set(settings):
        restart()
        yield tmp_path / "store"
        flush()


def the_store():
    return access.open_store(access.configured())


def entries(folder):
    flush()
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def batch(powers, n=20_000, last=model):
    load_, features_, last_ = map(dask.delayed, (load, features, last))
    return [last_(features_(load_(n), power)) for power in powers]


def compute(candidates):
    return list(dask.compute(*sd.optimize(candidates)))


def test_a_batch_that_ran_before_is_read(calls):
    expected = list(dask.compute(*batch([1, 2])))
    calls()
    assert compute(batch([1, 2])) == expected
    assert calls() == ["features"] * 2 + ["load"] + ["model"] * 2
    restart()
    assert compute(batch([1, 2])) == expected
    assert calls() == []


def test_of_an_edited_batch_only_what_changed_is_computed(calls):
    def other(frame):
        slowly("other")
        return frame.max().max()

    compute(batch([1, 2, 3]))
    restart()
    calls()
    expected = [float(19_999**power) for power in (1, 2, 3)]
    assert compute(batch([1, 2, 3], last=other)) == expected
    assert calls() == ["other"] * 3
    restart()
    compute(batch([3, 4], last=other))
    assert calls() == ["features", "other"]  # for the power of 4, from what was loaded


def test_explain_says_what_is_read():
    compute(batch([1, 2]))
    restart()
    explanation = sd.explain(batch([1, 2, 3]))
    assert len(explanation.saved) == 3 and min(explanation.saved.values()) > 0.001
    assert "read, not computed" in str(explanation)
    assert "3 values" in str(explanation)


def test_results_stay_distinct_and_fresh(calls):
    compute([dask.delayed(load)(10), dask.delayed(load)(10)])
    restart()
    calls()
    one, other = compute([dask.delayed(load)(10), dask.delayed(load)(10)])
    assert calls() == []
    one.loc[0, "a"] = 99.0
    assert other.loc[0, "a"] == 0.0
    assert compute([dask.delayed(load)(10)])[0].loc[0, "a"] == 0.0


def test_a_value_is_kept_as_it_was_before_its_consumer_changed_it(calls):
    def make():
        slowly("make")
        return np.zeros(20_000)

    def edit(array):
        array[:] = 1.0
        return array.sum()

    assert compute([dask.delayed(edit)(dask.delayed(make)())]) == [20_000.0]
    restart()
    calls()
    assert compute([dask.delayed(np.sum)(dask.delayed(make)())]) == [0.0]
    assert calls() == []


# -- what goes wrong when the batch runs ----------------------------------------------------------


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize("breaking", [Path.unlink, flip, cut], ids=lambda f: f.__name__)
def test_entries_that_break_after_planning_are_computed_again(store, calls, monkeypatch, breaking):
    expected = compute(batch([1, 2]))
    for path in entries(store):
        if path.stat().st_size < 1000:
            path.unlink()  # the results, so that the features are read when the batch runs
    restart()
    monkeypatch.setattr(known, "_SMALL", 0)
    planned = sd.optimize(batch([1, 2]))
    for path in entries(store):
        breaking(path)
    calls()
    assert list(dask.compute(*planned)) == expected
    # What they have in common is computed once.
    assert calls() == ["features"] * 2 + ["load"] + ["model"] * 2
    restart()
    assert compute(batch([1, 2])) == expected


def test_a_fallback_leaves_shared_values_alone(store):
    def edited(frame):
        slowly("edited")
        frame["a"] = 0.0
        return pd.DataFrame({"s": np.full(20_000, frame["a"].sum())})

    def read(frame):
        slowly("read")
        return pd.DataFrame({"s": np.full(20_000, frame["a"].sum())})

    frame = dask.delayed(load)(100)
    candidates = [model_of(dask.delayed(f)(frame)) for f in (edited, read)]
    expected = compute(candidates)
    assert expected == [0.0, 4950.0 * 20_000]
    for path in entries(store):
        if path.stat().st_size < 1000:
            path.unlink()
    restart()
    planned = sd.optimize(candidates)
    for path in entries(store):
        path.unlink()
    assert list(dask.compute(*planned)) == expected


def model_of(frame):
    return dask.delayed(model)(frame)


def test_writing_that_fails_fails_no_task(store, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(the_store().files, "write", full)
    with caplog.at_level(logging.WARNING, "stratum_dask.store"):
        assert compute(batch([1, 2])) == list(dask.compute(*batch([1, 2])))
        flush()
    assert len(caplog.records) == 1
    assert not entries(store)


def test_values_that_cannot_be_kept_are_computed():
    def make():
        slowly("make")
        return {"text": "x", "set": {1, 2}}

    assert compute([dask.delayed(len)(dask.delayed(make)())]) == [2]
    flush()
    assert any("holds a set" in why for why in the_store().counts)


def test_an_unreachable_store_is_said_once(tmp_path, caplog):
    url = "ftp://127.0.0.1:9/results"
    with dask.config.set({"stratum.store.url": url}):
        expected = list(dask.compute(*batch([1])))
        with caplog.at_level(logging.WARNING, "stratum_dask.store"):
            assert compute(batch([1])) == expected == compute(batch([1]))
    assert len(caplog.records) == 1
    assert url in caplog.text and "refused" in caplog.text and "stratum.store.url" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"), [("url", 3), ("bytes", "many"), ("bytes", 0), ("key", None)]
)
def test_settings_that_make_no_sense(name, value):
    with (
        dask.config.set({f"stratum.store.{name}": value}),
        pytest.raises(sd.errors.ConfigError, match=f"stratum.store.{name}"),
    ):
        sd.optimize(batch([1]))


# -- what is not the same value -------------------------------------------------------------------


def test_names_are_no_identities(store):
    def impure(n):
        slowly("impure")
        return np.full(1000, n) + os.getpid() * 0

    def graph(n):
        return {"x": (impure, n), "y": (np.sum, "x"), "z": (model, (pd.DataFrame, "x"))}

    assert computed(graph(1)) == {"y": 1000, "z": 1000}
    assert not entries(store)
    restart()
    assert computed(graph(2)) == {"y": 2000, "z": 2000}


def computed(graph):
    optimized = sd.optimize(graph, keys=["y", "z"])
    return dict(zip("yz", dask.get(optimized, ["y", "z"]), strict=True))


def test_a_file_that_changes_after_planning_is_stored_as_nothing(tmp_path, store, calls):
    path = str(tmp_path / "data.csv")

    def write(factor):
        pd.DataFrame({"a": np.arange(30_000.0) * factor}).to_csv(path, index=False)

    def planned():
        return sd.optimize(dask.delayed(model)(dask.delayed(pd.read_csv)(path)))

    write(1)
    candidate = planned()
    write(2)
    with pytest.raises(InputChangedError):
        candidate.compute()
    assert not entries(store)
    twice = planned().compute()
    write(1)
    once = planned().compute()
    assert (once, twice) == (449_985_000.0, 899_970_000.0)
    restart()
    calls()
    assert planned().compute() == once and calls() == []


def test_narrow_reads_are_not_whole_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "_LEAST", 0.0)
    monkeypatch.setattr(stored, "_MARGIN", 0.0)  # everything is stored
    monkeypatch.setattr(Speed, "seconds", lambda *_: 0.0)  # and read
    path = str(tmp_path / "data.parquet")
    frame = pd.DataFrame({"a": np.arange(50_000.0), "b": 2.0, "c": 3.0})
    frame.to_parquet(path)

    def shape(frame):
        slowly("shape")
        return frame.shape

    whole = dask.delayed(pd.read_parquet)(path)
    copied = whole.copy()
    more = copied.assign(d=1.0)
    for narrow in (copied[["a"]], more[["a", "d"]]):
        assert sd.optimize(narrow).compute()["a"].sum() == frame["a"].sum()
    restart()
    shapes = [dask.delayed(shape)(one) for one in (copied, whole, more)]
    assert compute(shapes) == [(50_000, 3), (50_000, 3), (50_000, 4)]


def scaled(n):
    slowly("scaled")
    return MinMaxScaler().fit_transform(pd.DataFrame({"a": np.arange(float(n))}))


def test_what_ran_under_other_settings_is_another_value(calls):
    candidate = dask.delayed(scaled)(20_000)
    with dask.config.set(scheduler="sync"):
        with sklearn.config_context(transform_output="pandas"):
            (frame,) = compute([candidate])
        restart()
        (array,) = compute([candidate])
        assert (type(frame), type(array)) == (pd.DataFrame, np.ndarray)
        calls()
        for threads in (3, 3, 1, 1):
            restart()
            with threadpool_limits(threads):
                assert_same(compute([candidate])[0], array)
    assert len(calls()) in (1, 2)  # once for each number of threads that was not here before


def test_settings_that_change_after_planning_are_seen(calls):
    candidate = dask.delayed(scaled)(20_000)
    with dask.config.set(scheduler="sync"):
        compute([candidate])
        restart()
        planned = sd.optimize(candidate)
        calls()
        with sklearn.config_context(transform_output="pandas"):
            assert type(planned.compute()) is pd.DataFrame
    assert calls() == ["scaled"]


def test_what_another_environment_made_is_another_value(calls, monkeypatch):
    """Workers may have other library versions, or processors, than the client that plans."""
    planned = sd.optimize(batch([1], 200_000))
    with monkeypatch.context() as there:
        there.setattr(surroundings, "environment", lambda: Environment("other", 1))
        (expected,) = dask.compute(*planned)
        flush()
    calls()
    for again in (["features", "load", "model"], []):
        restart()
        assert compute(batch([1], 200_000)) == [expected]
        assert calls() == again
    restart()
    planned = sd.optimize(batch([2], 200_000))  # of which the table is stored
    monkeypatch.setattr(surroundings, "environment", lambda: Environment("other", 1))
    dask.compute(*planned)
    assert calls() == ["features", "load", "model"]


@pytest.fixture
def module(user_module):
    """Write and load a module whose function returns a number that is given."""
    source = "NUMBER = {}\ndef step(x):\n    print('step')\n    return x * NUMBER\n"
    return lambda number: user_module("steps_of_a_user", source.format(number))


def test_code_that_is_another_one_where_it_runs_leaves_nothing(module, calls, monkeypatch):
    """A worker that loaded a module before it was edited computes what nobody asked for."""
    monkeypatch.setattr(stored, "_LEAST", 0.0)
    monkeypatch.setattr(Speed, "seconds", lambda *_: 1e-9)
    first = module(1)
    graph = dask.delayed(first.step)(np.ones(1000))
    (planned,) = sd.optimize([graph])
    module(2)
    planned.compute()
    flush()
    assert calls() == ["step"]
    assert [name for name in the_store().counts if "a module of the user's" in name]
    for called in (["step"], []):
        restart()
        (found,) = compute([dask.delayed(module(2).step)(np.ones(1000))])
        assert (found == 2).all() and calls() == called


def test_estimators_that_write_into_their_input_stay_visible():
    def fitted(scaler, frame):
        slowly("fitted")
        return scaler.fit(frame.copy())

    def candidates():
        data = dask.delayed(np.arange(12_000.0).reshape(-1, 2))
        scaler = dask.delayed(fitted)(StandardScaler(copy=False), data)
        return [dask.delayed(methodcaller("transform"))(scaler, data), dask.delayed(np.sum)(data)]

    with dask.config.set({"stratum.store.url": None}):
        expected = compute(candidates())
    assert expected[1] == np.arange(12_000.0).sum()
    for _ in range(2):
        restart()
        found = compute(candidates())
        assert_same(found[0], expected[0])
        assert found[1] == expected[1]


# -- evaluate -------------------------------------------------------------------------------------


def data():
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(4000, 6)), columns=list("abcdef"))
    return X, X @ np.arange(6) + random.normal(size=4000)


class Slow(StandardScaler):
    """A scaler that takes its time."""

    def fit(self, X, y=None, sample_weight=None):
        slowly("fit")
        return super().fit(X, y, sample_weight)


sd.pure(Slow)


def scores(results):
    return results.frame.drop(columns=["seconds"])


@pytest.mark.parametrize("isolate", ["thread", "process"])
def test_evaluate_gives_the_same_scores(isolate):
    X, y = data()
    candidates = {
        "ridge": (make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0]}),
        "boosting": HistGradientBoostingRegressor(max_iter=20, random_state=0),
        "broken": Ridge(alpha="x"),
    }
    with dask.config.set({"stratum.store.url": None}):
        expected = sd.evaluate(candidates, X, y, cv=3)
    for number in range(2):
        restart()
        found = sd.evaluate(candidates, X, y, cv=3, isolate=isolate)
        pd.testing.assert_frame_equal(scores(found), scores(expected), check_exact=True)
        assert bool(found.explanation.saved) == bool(number) or isolate == "process"
    assert set(found.errors) == set(expected.errors) == {"broken"}


def test_evaluate_runs_only_what_is_new(calls):
    X, y = data()
    slow = make_pipeline(Slow(), Ridge())
    for times in (3, 0):
        sd.evaluate({"a": slow}, X, y, cv=3)
        assert calls() == ["fit"] * times
        restart()
    X.iloc[0, 0] += 1.0
    sd.evaluate({"a": slow}, X, y, cv=3)
    assert calls() == ["fit"] * 3


def test_searches_use_it_too(calls):
    X, y = data()
    search = sd.model_selection.GridSearchCV(
        make_pipeline(Slow(), Ridge()), {"ridge__alpha": [0.1, 1.0]}, cv=3, refit=False
    )
    expected = search.fit(X, y).cv_results_["mean_test_score"]
    restart()
    calls()
    assert (search.fit(X, y).cv_results_["mean_test_score"] == expected).all()
    assert calls() == []


# -- clusters -------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_workers_read_and_write_it(store):
    from distributed import Client, LocalCluster

    with (
        dask.config.set(scheduler=None),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        X, y = data()
        boosting = HistGradientBoostingRegressor(max_iter=20, random_state=0)
        candidates = {"a": make_pipeline(StandardScaler(), Ridge()), "b": boosting}
        expected = sd.evaluate(candidates, X, y, cv=3)
        client.run(flush)
        restart()
        found = sd.evaluate(candidates, X, y, cv=3)
        assert found.explanation.saved
        pd.testing.assert_frame_equal(scores(found), scores(expected), check_exact=True)

        candidates = [dask.delayed(np.sort)(dask.delayed(np.tile)(np.arange(3e5), 3))]
        (expected,) = dask.compute(*candidates)
        compute(candidates)
        client.run(flush)
        restart()
        planned = sd.optimize(candidates)
        assert_same(dask.compute(*planned)[0], expected)
        for path in entries(store):
            path.unlink()
        assert_same(dask.compute(*planned)[0], expected)


@pytest.mark.cluster
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_scheduler_that_was_restarted(calls):
    """What the plugin kept is gone with the scheduler; what is stored is read."""
    from distributed import Client, LocalCluster

    X, y = data()
    candidates = {"a": (make_pipeline(Slow(), Ridge()), {"ridge__alpha": [0.1, 1.0]})}
    with dask.config.set({"stratum.store.url": None}):
        expected = sd.evaluate(candidates, X, y, cv=3)
    for number in range(2):
        restart()
        calls()
        with (
            dask.config.set(scheduler=None),
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=False,
                protocol="tcp://",
                dashboard_address=":0",
            ) as cluster,
            Client(cluster) as client,
        ):
            client.register_plugin(sd.scheduler.StratumPlugin())
            found = sd.evaluate(candidates, X, y, cv=3)
            assert not cluster.scheduler.plugins["stratum"].off
        assert set(calls()) == (set() if number else {"fit"})
        assert bool(found.explanation.saved) == bool(number)
        pd.testing.assert_frame_equal(scores(found), scores(expected), check_exact=True)
