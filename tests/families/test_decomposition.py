"""Fewer components are the first of all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from stratum_dask.families import Refused, family_of
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit


def models(*numbers, **params):
    return [PCA(n, **params) for n in numbers]


@pytest.mark.parametrize("solver", ["full", "covariance_eigh", "auto"])
@pytest.mark.parametrize(
    "convert", [np.asarray, np.asfortranarray, np.float32, pd.DataFrame], ids=str
)
def test_members_are_their_own_fits(cut_exactly, data, solver, convert):
    X = convert(data[0])
    numbers = (2, 6, None, 0.8, 0.3, 1, 0)
    cut_exactly(models(*numbers, svd_solver=solver, random_state=0), X)


def test_whitening_and_targets(cut_exactly, data):
    cut_exactly([*models(2, whiten=True), *models(3, svd_solver="auto")], data[0], data[1])


@pytest.mark.parametrize("solver", ["full", "covariance_eigh"])
def test_shapes(cut_exactly, solver):
    rng = np.random.default_rng(0)
    cut_exactly(models(2, 3, svd_solver=solver), rng.integers(0, 9, size=(12, 3)))
    collinear = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 7))
    cut_exactly(models(1, 2, 5, svd_solver=solver), collinear)
    wide = rng.normal(size=(300, 130))
    cut_exactly(models(1, 8, 100, 128, 129, 130, svd_solver=solver), wide)


@pytest.mark.parametrize("solver", ["full", "covariance_eigh"])
def test_fewer_rows_than_columns(cut, assert_same, solver):
    X = np.random.default_rng(0).normal(size=(5, 9))
    estimators = models(2, 4, 0.9, svd_solver=solver)
    for estimator, member in zip(estimators, cut(estimators, X), strict=True):
        assert_same(member, fit(estimator, X))


def test_sparse_rows(cut_exactly, data):
    X = csr_array(np.where(data[0] > 0.5, data[0], 0))
    cut_exactly(models(2, 3, svd_solver="covariance_eigh"), X)


def test_auto_takes_another_solver_for_some(cut, assert_same):
    X = np.random.default_rng(0).normal(size=(501, 60))
    estimators = models(3, 60, svd_solver="auto", random_state=0)
    counters.reset()
    for estimator, member in zip(estimators, cut(estimators, X), strict=True):
        assert_same(member, fit(estimator, X))
    counted = counters.snapshot()
    assert sum(counted.hits.values()) == sum(counted.fallbacks.values()) == 1


def test_too_many_components_fail_as_their_own(cut, data):
    with pytest.raises(ValueError, match="n_components=7 must be between"):
        cut(models(2, 7, svd_solver="full"), data[0])


@pytest.mark.parametrize(
    "model", [PCA("mle"), PCA(svd_solver="randomized"), PCA(svd_solver="arpack")], ids=str
)
def test_what_is_refused(model):
    with pytest.raises(Refused, match=r"mle|svd_solver"):
        family_of(model).key(model)
