"""Typical mistakes: what users are told, and that nothing is left out in silence."""

from __future__ import annotations

import dask
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import stratum_dask as sd
from stratum_dask.errors import ConfigError


def batch():
    return [dask.delayed(abs)(-1)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"keys": "abc"}, r"keys is 'abc'; it must be a list of keys"),
        ({"keys": 3}, r"keys is 3; it must be a list of keys"),
        ({"disable": "fuse_frames"}, r"disable is 'fuse_frames'; it must be a list"),
        ({"disable": 3}, r"disable is 3; it must be a list"),
        ({"disable": ["fuse_frame"]}, r"\['fuse_frame'\], which cannot .* 'fuse_frames'"),
        ({"numerics": "fast"}, r"numerics is 'fast'; choose one of exact, close"),
    ],
)
def test_keywords(given, told):
    for call in (sd.optimize, sd.explain):
        with pytest.raises(ConfigError, match=told):
            call(batch(), **given)


@pytest.mark.parametrize("workers", [0, -1, "2", 1.5])
def test_numbers_of_workers(workers):
    with pytest.raises(ConfigError, match="give a number of at least one"):
        sd.explain(batch(), workers=workers)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("stratum.numerics", "fast", r"numerics is 'fast'; choose one of exact, close"),
        ("stratum.isolate", "fork", r"isolate is 'fork'; choose one of thread, process"),
        ("stratum.disabled", ["cull"], r"stratum\.disabled is no setting; choose .* disable,"),
        ("stratum.store.ulr", "x", r"stratum\.store\.ulr is no setting; choose from url, bytes"),
        ("stratum.store", "x", r"stratum\.store is 'x'; it has settings of its own: url"),
    ],
)
def test_settings(name, value, told):
    with dask.config.set({name: value}), pytest.raises(ConfigError, match=told):
        sd.optimize(batch())


def test_settings_may_be_spelled_with_underscores():
    with dask.config.set({"stratum.retention.worker_share": 0.2}):
        assert sd.optimize(batch())[0].compute() == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"candidates": "ridge"}, r"candidates is 'ridge'; pass an estimator"),
        ({"candidates": 3}, r"candidates is 3; pass an estimator"),
        ({"timeout": "5 s"}, r"timeout is '5 s'; give seconds"),
        ({"timeout": 0}, r"timeout is 0; give seconds"),
        ({"on_error": "stop"}, r"on_error is 'stop'"),
    ],
)
def test_evaluate(given, told):
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ConfigError, match=told):
        sd.evaluate(**{"candidates": Ridge(), "X": X, "y": y} | given)


def test_candidates_with_names_in_pairs():
    X, y = load_diabetes(return_X_y=True)
    results = sd.evaluate([("ridge", Ridge())], X, y)
    assert "names go into a dict" in results.errors[0].message


def test_processes_with_less_memory_than_they_hold():
    X, y = load_diabetes(return_X_y=True)
    with dask.config.set({"stratum.memory": "1 MiB"}):
        results = sd.evaluate({"ridge": Ridge()}, X, y, isolate="process")
    assert "set stratum.memory to more" in results.errors["ridge"].message
    assert not sd.evaluate({"ridge": Ridge()}, X, y, isolate="process").errors
