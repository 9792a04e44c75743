"""dask DataFrames: the calls of each partition run as one task, natively where they can."""

from __future__ import annotations

import pickle

import cloudpickle
import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask._task_spec import Task
from dask.tokenize import normalize_token

import stratum_dask as sd
from stratum_dask.ops import counters


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.normal(size=40), "b": np.arange(40) % 3, "s": list("wxyz") * 10})
    data.loc[::7, "a"] = np.nan
    return dd.from_pandas(data, npartitions=4)


def features(df):
    clipped = df["a"].fillna(0).clip(0, 5) * 2
    df = df.assign(clipped=clipped, log=np.log1p(df["b"]))
    return df[df["b"] > 0]


def test_partitions_run_natively_as_one_task_each(frame):
    (optimized,) = sd.optimize([features(frame)])
    counters.reset()
    actual = optimized.compute()
    pd.testing.assert_frame_equal(actual, features(frame).compute())
    counted = counters.snapshot()
    assert {"dask.assign", ".fillna", ".clip", "numpy.log1p", "operator.gt"} <= counted.hits.keys()
    tasks = [node for node in dict(optimized.dask).values() if type(node) is Task]
    assert len(tasks) == frame.npartitions
    assert optimized.divisions == features(frame).divisions


def test_fields_of_dates_run_natively_in_partitions():
    days = pd.DataFrame({"day": pd.date_range("1999-12-30", periods=400, freq="7h")})
    day = dd.from_pandas(days, npartitions=4).day.dt
    batch = [day.month + day.hour, day.day_of_week, day.date]
    expected = dask.compute(*batch)
    counters.reset()
    for actual, wanted in zip(dask.compute(*sd.optimize(batch)), expected, strict=True):
        pd.testing.assert_series_equal(actual, wanted)
    counted = counters.snapshot()
    assert counted.hits["dask.accessor"] == 12
    assert {one.reason for one in counted.fallbacks} == {"few rows"}  # date


def test_what_two_frames_share_is_computed_once(frame):
    shared = features(frame)
    batch = [shared.clipped.sum(), shared.log.mean(), shared.groupby("b").a.mean()]
    expected, actual = dask.compute(*batch), dask.compute(*sd.optimize(batch))
    assert actual[:2] == expected[:2]
    pd.testing.assert_series_equal(actual[2], expected[2])


def test_partitions_stay_apart(frame):
    total = (frame["a"].fillna(1) * 2).sum()
    explanation = sd.explain([total])
    # One task per partition at least: reductions are no part of them.
    assert explanation.tasks_after > frame.npartitions
    assert sd.optimize([total])[0].compute() == total.compute()


def test_frames_and_delayed_in_one_batch(frame):
    part = features(frame).get_partition(1)
    batch = [part, dask.delayed(len)(part), dask.delayed(pd.DataFrame.sum)(part, numeric_only=True)]
    expected = [one.compute() for one in batch]
    actual = [one.compute() for one in sd.optimize(batch)]
    pd.testing.assert_frame_equal(actual[0], expected[0])
    assert actual[1] == expected[1]
    pd.testing.assert_series_equal(actual[2], expected[2])


def test_names_come_from_the_plan(frame, monkeypatch):
    """Dask would pickle all tasks for a name, which took five times as long as planning."""

    def refuse(task):
        raise AssertionError(task)

    monkeypatch.setattr(Task, "__dask_tokenize__", refuse)
    batch = [features(frame), frame["a"] * 2, frame["a"] * 3]
    once, again = sd.optimize(batch), sd.optimize(batch)
    names = [one._name for one in (*once, *again)]
    assert len(set(names)) == len(names) and normalize_token(once[0]) is not None
    monkeypatch.undo()
    copied = pickle.loads(cloudpickle.dumps(once[0]))
    assert copied._name == once[0]._name
    pd.testing.assert_frame_equal(copied.compute(), features(frame).compute())
    pd.testing.assert_series_equal((once[1] + once[2]).compute(), (frame["a"] * 5).compute())


def test_frames_that_share_a_shuffle(frame):
    """Dask gives the tasks of a shuffle on disk other names each time that it is asked for them."""
    sums = frame.groupby("b").a.sum(split_out=2)
    batch = [sums * 2, sums + 1, sums.max()]
    with dask.config.set({"dataframe.shuffle.method": "disk"}):
        expected, found = dask.compute(*batch), dask.compute(*sd.optimize(batch))
    for one, other in zip(found[:2], expected[:2], strict=True):
        pd.testing.assert_series_equal(one.sort_index(), other.sort_index())
    assert found[2] == expected[2]
