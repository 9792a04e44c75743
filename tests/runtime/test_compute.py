"""Running a planned batch: what becomes a task, and what is told of it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from dask.callbacks import Callback
from sklearn.linear_model import Ridge

import stratum_dask as sd
from stratum_dask.graph import Alias, Graph, Output, Task, TaskRef
from stratum_dask.runtime.compute import compute


def graph():
    """Return a graph of two results with names, one of them twice, and one without."""
    tasks = {
        "one": Task("one", int, "1"),
        "name": Alias("name", "one"),
        "other": Alias("other", "one"),
        "two": Task("two", abs, TaskRef("name")),
        "three": Task("three", int, "no"),
        "failed": Alias("failed", "three"),
    }
    keys = ("name", "other", "two", "failed")
    return Graph(tasks, tuple(Output((key,), key) for key in keys)), keys


@pytest.mark.parametrize("isolate", ["thread", "process"])
@pytest.mark.parametrize("workers", [1, 2])
def test_names_of_results_are_no_tasks(isolate, workers):
    batch, keys = graph()
    ran, told = Counter(), Counter()
    with Callback(posttask=lambda key, *_: ran.update([key])):
        found = compute(
            batch,
            [*keys, "name"],
            workers=workers,
            done=lambda key, outcome: told.update([key]),
            isolate=isolate,
        )
    assert [one.value for one in (found[0], found[1], found[2], found[4])] == [1, 1, 1, 1]
    assert found[3].failure.error == "ValueError"
    assert told.keys() >= set(keys)
    assert all(told[key] == 1 for key in keys)
    if isolate == "thread":  # what others depend on stays
        assert ran.keys() == {"one", "name", "two", "three"}


def test_equal_candidates_are_each_told_of():
    X = np.arange(20.0)[:, None]
    results = sd.evaluate({"a": Ridge(), "b": Ridge()}, X, X[:, 0], cv=2)
    assert results.frame["mean"].nunique() == 1
    assert len(results.frame) == 2
    assert not results.errors
