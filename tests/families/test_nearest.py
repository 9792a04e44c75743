"""Our own search for neighbours, against all distances, sorted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import BallTree, KDTree

from stratum_dask._native import Nearest
from stratum_dask.families import FitDirectly
from stratum_dask.families import nearest as module
from stratum_dask.families.nearest import nearest


def by_sorting(fitted, rows, k):
    """Add squares up column by column, and sort them: equal ones in their order."""
    squares = np.zeros((len(rows), len(fitted)))
    for column in range(fitted.shape[1]):
        difference = rows[:, column, None] - fitted[None, :, column]
        squares += difference * difference
    indices = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return indices, np.take_along_axis(squares, indices, axis=1)


@st.composite
def tables(draw):
    """Return rows of any size and spread: far from zero, with outliers, repeated, in a grid."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    columns = draw(st.integers(1, 30))
    n, m = draw(st.integers(1, 1_500)), draw(st.integers(1, 140))
    scale = 10.0 ** draw(st.sampled_from([-100, -20, -3, 0, 5, 20, 120]))
    spread = rng.uniform(0.1, 10, columns) ** draw(st.integers(0, 6))
    tables = [rng.normal(size=(size, columns)) * spread * scale for size in (n, m)]
    for table in tables:
        if draw(st.booleans()):
            table[rng.random(table.shape) < 0.01] *= 1e6
        if draw(st.booleans()):
            table[:, rng.random(columns) < 0.3] = 1.5 * scale
    if draw(st.booleans()):
        tables = [np.round(table / scale) * scale for table in tables]
    if draw(st.booleans()):
        tables = [table + scale * draw(st.sampled_from([1e3, 1e9, -1e15])) for table in tables]
    if draw(st.booleans()):
        tables[0] = tables[0][rng.integers(0, n, n)]
    if draw(st.booleans()):
        tables[1] = tables[0][rng.integers(0, n, m)]
    return *tables, draw(st.integers(1, n) | st.just(n) | st.integers(1, min(n, 20)))


@given(tables(), st.sampled_from([1, 3]), st.sampled_from([1 << 20, 1 << 13]))
def test_is_as_sorted(found, threads, products):
    fitted, rows, k = found
    if (fitted == fitted[0]).all() and (rows == fitted[0]).all():
        with pytest.raises(FitDirectly, match="equal"):
            nearest(fitted, rows, k)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PRODUCTS", products)
        indices, squares = nearest(fitted, rows, k, threads)
    expected = by_sorting(fitted, rows, k)
    assert squares.tobytes() == expected[1].tobytes()
    np.testing.assert_array_equal(indices, expected[0])


@pytest.mark.parametrize("tree", [KDTree, BallTree])
@pytest.mark.parametrize("columns", [1, 4, 15, 40])
def test_trees_have_the_same_distances(tree, columns):
    rng = np.random.default_rng(3)
    fitted, rows = rng.normal(size=(900, columns)), rng.normal(size=(100, columns))
    distances, found = tree(fitted).query(rows, 30)
    indices, squares = nearest(fitted, rows, 30)
    assert np.sqrt(squares).tobytes() == distances.tobytes()
    np.testing.assert_array_equal(indices, found)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e308, 1e-130, 0.0])
@pytest.mark.parametrize("where", [0, 1])
def test_what_has_no_squares_is_refused(wrong, where):
    large = 1.7e308 if wrong < 0 else 0.0
    found = [np.full((5, 2), large), np.full((5, 2), large)]
    found[where][2, 1] = wrong
    with pytest.raises(FitDirectly, match="squares"):
        nearest(*found, 2)


def test_little_is_left_open_by_rounding():
    """Not by outliers, and not where all numbers are large."""
    rng = np.random.default_rng(0)
    fitted = rng.normal(size=(4_096, 10)) + 1e7
    fitted[7] *= 1e4
    near, far = module._rounded(fitted, fitted[:1])
    limit = far.doubt[0] + np.sort(near.least + near.doubt - 2 * near.rows @ far.rows[0])[20]
    assert np.sum(near.least - 2 * near.rows @ far.rows[0] <= limit) < 40


def test_mistakes_are_told():
    single = np.zeros(1, np.float32)
    with pytest.raises(ValueError, match="margins must be float32"):
        Nearest(1, np.zeros(1))
    found = Nearest(1, single)
    with pytest.raises(ValueError, match="float32"):
        found.offer(np.zeros(1), single, single, 0)
    with pytest.raises(ValueError, match="lengths differ"):
        found.offer(single, np.zeros(2, np.float32), single, 0)
    out = np.zeros(1, np.int64), np.zeros(1)
    with pytest.raises(ValueError, match="all others float64"):
        found.settle(single, np.zeros(1), *out)
    with pytest.raises(ValueError, match="too few rows"):
        found.settle(np.zeros(1), np.zeros(1), *out)
    with pytest.raises(ValueError, match="already"):
        found.settle(np.zeros(1), np.zeros(1), *out)
