"""Results of scores that are odd, but allowed, and of batches that end early."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import cross_validate

import stratum_dask as sd
from stratum_dask.errors import ConfigError

X, y = load_diabetes(return_X_y=True)
MODELS = {"ridge": Ridge(), "lasso": Lasso()}


def evaluated(score, models=MODELS):
    return sd.evaluate(models, X, y, cv=2, scoring=lambda model, X, y: score(model))


@pytest.mark.parametrize(
    "value", [np.inf, -np.inf, np.nan, True, 3, np.int8(3), np.float32(0.1), np.array(2.5)]
)
def test_numbers_of_all_kinds(value):
    results = evaluated(lambda model: value)
    expected = cross_validate(Ridge(), X, y, cv=2, scoring=lambda model, X, y: value)
    frame = results.frame
    np.testing.assert_array_equal(frame.loc[0, ["fold_0", "fold_1"]], expected["test_score"])
    assert frame["fold_0"].dtype == float
    assert not results.errors
    finite = np.isfinite(expected["test_score"][0])
    read = json.loads(results.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert read["candidates"][0]["scores"]["score"] == (
        expected["test_score"].tolist() if finite else [None, None]
    )
    assert "ridge" in results._repr_html_()


def test_a_number_that_cannot_be_compared_is_its_candidates_failure():
    results = evaluated(lambda model: 1j if isinstance(model, Lasso) else 1.0)
    assert results.frame["status"].tolist() == ["ok", "failed"]
    assert "1j, which is no real number" in results.errors["lasso"].message
    assert results.best == "ridge"


def test_each_candidate_may_have_scores_of_its_own():
    results = evaluated(lambda model: {type(model).__name__: 1.0, "both": 2.0})
    assert results.scorers == ("Ridge", "both", "Lasso")
    assert results.frame["Ridge_mean"].tolist()[:1] == [1.0]
    assert results.frame["Lasso_fold_0"].isna().tolist() == [True, False]
    assert results.frame["both_mean"].tolist() == [2.0, 2.0]
    assert not results.errors


def test_no_folds():
    with pytest.raises(ConfigError, match="no folds"):
        sd.evaluate(MODELS, X, y, cv=[])


class Counting(RegressorMixin, BaseEstimator):
    """Counts the fits, the first of which fail."""

    fits = 0

    def __init__(self, number=0):
        self.number = number

    def fit(self, X, y):
        Counting.fits += 1
        raise ValueError("cannot be fitted")

    def predict(self, X):
        return X


@pytest.mark.usefixtures("one_thread")
def test_the_first_failure_ends_a_batch_that_shall_raise_it():
    models = {number: Counting(number) for number in range(5)}
    Counting.fits = 0
    with pytest.raises(ValueError, match="cannot be fitted"):
        sd.evaluate(models, X, y, cv=2, on_error="raise")
    assert Counting.fits <= 3  # of ten
    Counting.fits = 0
    with pytest.raises(TypeError, match="candidate 'b'"):
        sd.evaluate({"a": Counting(), "b": 3}, X, y, on_error="raise")
    assert Counting.fits == 0
    assert len(sd.evaluate(models, X, y, cv=2).errors) == 5
    assert Counting.fits == 10
