"""The cost book: what is kept, for whom, and what is made of it."""

from __future__ import annotations

import os
import sqlite3
import stat
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd
from stratum_dask.errors import ConfigError
from stratum_dask.graph import lower
from stratum_dask.ops.sizes import nbytes_of
from stratum_dask.pipeline import run
from stratum_dask.runtime import compute, costs
from stratum_dask.runtime.costs import Book, Cost, Kind, estimate
from stratum_dask.runtime.kinds import works_of


def filled(path: Path | None, *measured: tuple[Kind, float, int]) -> Book:
    book = Book(path)
    for kind, seconds, nbytes in measured:
        book.record(kind, seconds, nbytes)
    book.flush()
    return book


@pytest.fixture
def path(tmp_path):
    yield tmp_path / "cache" / "costs.sqlite"
    costs._unusable.clear()


def test_what_was_recorded_is_found_by_another_book(path):
    filled(path, (Kind("sort", 1000), 2.0, 500), (Kind("sort", 1000), 4.0, 700))
    assert Book(path).find(Kind("sort", 1000)) == Cost(3.0, 600, True)
    assert Book(path).find(Kind("other", 1000)) is None


def test_nothing_is_found_before_it_is_entered(path):
    book = Book(path)
    book.record(Kind("sort", 1000), 1.0, 1)
    assert book.find(Kind("sort", 1000)) is None


def test_other_sizes_and_rounds_are_scaled_from_the_nearest():
    book = filled(None, (Kind("grow", 1000, 10), 1.0, 100), (Kind("grow", 10**6, 10), 500.0, 10**5))
    assert book.find(Kind("grow", 2000, 10)).seconds == pytest.approx(2.0)
    assert book.find(Kind("grow", 1000, 20)).seconds == pytest.approx(2.0)
    assert book.find(Kind("grow", 2 * 10**6, 10)) == Cost(1000.0, 2 * 10**5, True)


def test_old_measurements_give_way_to_new_ones(path):
    kind = Kind("sort", 1000)
    filled(path, *[(kind, 1.0, 1)] * 1000)
    filled(path, *[(kind, 3.0, 1)] * 16)
    assert Book(path).find(kind).seconds == pytest.approx(2.0)


def test_only_its_owner_may_read_it(path):
    filled(path, (Kind("sort", 1), 1.0, 1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_forgets_what_was_not_used_for_longest(path, monkeypatch):
    monkeypatch.setattr(costs, "_MOST", 3)
    for number in range(6):
        filled(path, (Kind(f"kind {number}", 1), 1.0, 1))
    book = Book(path)
    found = [number for number in range(6) if book.find(Kind(f"kind {number}", 1))]
    assert found[-1] == 5 and 3 <= len(found) <= 4


def other_table(path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE costs (something TEXT)")
    database.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"this is no database" * 100),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to(path.with_name("elsewhere")),
        other_table,
    ],
)
def test_a_spoiled_book_is_ignored_with_one_warning(path, spoil):
    path.parent.mkdir()
    spoil(path)
    with pytest.warns(UserWarning, match="delete it") as caught:
        book = filled(path, (Kind("sort", 1000), 2.0, 500))
        assert book.find(Kind("sort", 1000)).seconds == 2.0  # this one remembers
        assert Book(path).find(Kind("sort", 1000)) is None
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filled(path, (Kind("sort", 1000), 2.0, 500))


def test_entries_that_make_no_sense_are_left_out(path):
    filled(path, (Kind("sort", 1000), 2.0, 500))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE costs SET seconds = 9e999")
    database.close()
    assert Book(path).find(Kind("sort", 1000)) is None


def test_many_write_side_by_side(path, monkeypatch):
    monkeypatch.setattr(costs, "_PATIENCE", 60.0)

    def write(_):
        filled(path, (Kind("sort", 1000), 1.0, 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(20)))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT times FROM costs").fetchall() == [(20,)]
    database.close()


def test_a_busy_book_is_left_alone(path, monkeypatch):
    monkeypatch.setattr(costs, "_PATIENCE", 0.0)
    filled(path, (Kind("sort", 1000), 1.0, 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert filled(path, (Kind("sort", 1000), 2.0, 1)).find(Kind("sort", 1000)).seconds == 2.0
    assert Book(path).find(Kind("sort", 1000)).seconds == 1.0


def test_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with dask.config.set({"stratum.costs.path": None}):
        assert costs.open_book()._path == tmp_path / "stratum_dask" / "costs-1.sqlite"
    with dask.config.set({"stratum.costs.path": False}):
        assert costs.open_book()._path is None
    with (
        dask.config.set({"stratum.costs.path": True}),
        pytest.raises(ConfigError, match=r"stratum\.costs\.path"),
    ):
        costs.open_book()


# -- graphs ------------------------------------------------------------------------------------


def test_kinds_name_what_is_called_and_the_estimator():
    X = dask.delayed(np.ones((100, 3)))
    scaled = dask.delayed(StandardScaler()).fit(X).transform(X)
    fitted = dask.delayed(RandomForestRegressor(7)).fit(scaled, X.sum(axis=1))
    graph = run(lower(fitted.predict(scaled), None)[0])
    kinds = {(work.kind, work.rounds) for work in works_of(graph)}
    assert {
        (".fit StandardScaler", 1),
        (".transform StandardScaler", 1),
        (".fit RandomForestRegressor", 7),
        (".predict RandomForestRegressor", 7),
    } <= kinds


def test_packed_chains_count_as_their_steps():
    frame = dask.delayed(pd.DataFrame)({"a": [1.0, 2.0]})
    batch = frame.describe().to_dict().items()
    written = lower(batch, None)[0]
    packed = run(written)
    assert len(packed) < len(written)
    kinds = [sorted(work.kind for work in works_of(one) if work.kind) for one in (written, packed)]
    assert kinds[0] == kinds[1]
    together = [sum(cost.seconds for cost in estimate(one).values()) for one in (written, packed)]
    assert together[0] == pytest.approx(together[1])


def test_evaluate_fills_the_book_that_estimates_the_next_batch(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3000, 20)), rng.normal(size=3000)
    space = make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1, 2]}
    forest = RandomForestRegressor(10, random_state=0)
    with dask.config.set({"stratum.costs.path": tmp_path / "costs.sqlite"}):
        results = sd.evaluate({"ridge": space, "forest": forest}, X, y, cv=3)
        work = results.explain().work
        assert work.known == 1.0
        assert 0 < work.unique < work.written
        assert work.written == pytest.approx(results.seconds_alone)
        book = costs.open_book()
        fits = book.find(Kind("stratum.fit RandomForestRegressor", X.nbytes * 2 // 3, 10))
        assert fits.known and fits.seconds > 10 * book.find(Kind("stratum.rows", X.nbytes)).seconds
        assert fits.nbytes > 100_000
        batch = dask.delayed(forest).fit(dask.delayed(X), dask.delayed(y))
        assert "measured before" in str(sd.explain(batch))
        assert sd.explain(batch).work.known < 1.0  # of another call


def test_small_batches_are_not_noted(tmp_path, monkeypatch):
    monkeypatch.setattr(compute, "_WORTH_NOTING", 1e9)
    with dask.config.set({"stratum.costs.path": tmp_path / "costs.sqlite"}):
        sd.evaluate(Ridge(), [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0], cv=3, scoring="neg_max_error")
    assert not (tmp_path / "costs.sqlite").exists()


def test_without_history_kinds_are_guessed():
    graph = run(lower(dask.delayed(Ridge()).fit(dask.delayed(np.ones((10_000, 10)))), None)[0])
    (cost,) = [cost for cost in estimate(graph, Book()).values() if cost.seconds]
    assert not cost.known and 0.0001 < cost.seconds < 1


def test_sizes_of_values_with_what_they_have_learned():
    X = np.random.default_rng(0).normal(size=(500, 5))
    forest = RandomForestRegressor(20, random_state=0).fit(X, X[:, 0])
    trees = sum(len(tree.tree_.__getstate__()["nodes"].tobytes()) for tree in forest.estimators_)
    assert trees <= nbytes_of(forest) <= 2 * trees
    frame = pd.DataFrame({"a": np.zeros(1000), "b": ["text"] * 1000})
    assert nbytes_of(frame) >= 8000 + 4000
    assert nbytes_of([X] * 10) == 10 * X.nbytes


def test_a_relative_cache_directory_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert costs._default() == Path(os.path.expanduser("~/.cache/stratum_dask/costs-1.sqlite"))
