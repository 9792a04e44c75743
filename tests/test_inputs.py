"""`evaluate` on data that is not here yet: paths and dask collections."""

from __future__ import annotations

from pathlib import Path

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import stratum_dask as sd
from stratum_dask.errors import ConfigError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 300
    return pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n) * 10,
            "kind": rng.choice(["red", "green", "blue"], size=n),
            "house": rng.integers(0, 20, size=n),
            "price": rng.normal(size=n),
        }
    )


@pytest.fixture(scope="module")
def candidates():
    prepare = make_column_transformer(
        (StandardScaler(), ["a", "b"]), (OneHotEncoder(sparse_output=False), ["kind"])
    )
    return {
        "ridge": (make_pipeline(prepare, Ridge()), {"ridge__alpha": [0.1, 1.0]}),
        "forest": make_pipeline(prepare, RandomForestRegressor(3, random_state=0)),
    }


def scores(results):
    assert not results.errors, results.errors
    return results.frame.filter(like="fold_").to_numpy()


def expected(candidates, frame, **how):
    X, y = frame.drop(columns="price"), frame["price"]
    return scores(sd.evaluate(candidates, X, y, **how))


WRITERS = {
    "data.csv": lambda frame, path: frame.to_csv(path, index=False),
    "data.csv.gz": lambda frame, path: frame.to_csv(path, index=False),
    "data.parquet": lambda frame, path: frame.to_parquet(path),
    "data.feather": lambda frame, path: frame.to_feather(path),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", [str, Path, "{}".format, "file://{}".format])
def test_paths(tmp_path, frame, candidates, name, kind):
    WRITERS[name](frame, tmp_path / name)
    results = sd.evaluate(candidates, kind(tmp_path / name), "price", cv=3)
    # What pandas reads: before 3.1, it rounds some numbers of text otherwise than they were.
    read = getattr(pd, f"read_{name.split('.')[1]}")(tmp_path / name)
    np.testing.assert_array_equal(scores(results), expected(candidates, read, cv=3))


def test_a_path_is_read_by_one_task(tmp_path, frame, candidates):
    frame.to_parquet(tmp_path / "data.parquet")
    explained = sd.evaluate(candidates, tmp_path / "data.parquet", "price", cv=3).explain()
    assert explained.candidates == 3
    read = [key for key in explained.merged if "read" in str(key)]
    assert len(read) <= 1 and explained.tasks_after < explained.tasks_before


def test_groups_by_name(tmp_path, frame, candidates):
    frame.to_parquet(tmp_path / "data.parquet")
    given = frame.drop(columns="house")
    how = {"cv": GroupKFold(3)}
    found = sd.evaluate(candidates, tmp_path / "data.parquet", "price", groups="house", **how)
    want = expected(candidates, given, groups=frame["house"], **how)
    np.testing.assert_array_equal(scores(found), want)


def test_names_of_columns_of_a_frame(frame, candidates):
    found = sd.evaluate(candidates, frame, "price", cv=3)
    np.testing.assert_array_equal(scores(found), expected(candidates, frame, cv=3))


@pytest.mark.parametrize("npartitions", [1, 4])
@pytest.mark.parametrize("named", [True, False])
def test_dask_frames(frame, candidates, npartitions, named):
    far = dd.from_pandas(frame, npartitions=npartitions)
    far["b"] = far["b"].clip(-5, 5) * 2
    near = frame.assign(b=frame["b"].clip(-5, 5) * 2)
    given = (far, "price") if named else (far.drop(columns="price"), far["price"])
    found = sd.evaluate(candidates, *given, cv=3)
    np.testing.assert_array_equal(scores(found), expected(candidates, near, cv=3))


def test_dask_arrays_and_delayed_values(frame):
    X, y = frame[["a", "b"]].to_numpy(), (frame["price"] > 0).to_numpy()
    want = cross_val_score(LogisticRegression(), X, y)
    for far in (
        (da.from_array(X, chunks=(100, 1)), da.from_array(y, chunks=70)),
        (da.from_array(X, chunks=100), y),
        (X, da.from_array(y, chunks=70)),
        (dask.delayed(X), dask.delayed(y)),
    ):
        found = scores(sd.evaluate(LogisticRegression(), *far))
        np.testing.assert_array_equal(found[0], want)


def test_no_target(frame):
    X = frame[["a", "b"]]
    model = KMeans(3, random_state=0, n_init=1)
    far = dd.from_pandas(X, npartitions=3)
    found = scores(sd.evaluate(model, far, cv=3))
    np.testing.assert_array_equal(found[0], cross_val_score(model, X, cv=3))


def test_weights_are_split_with_the_rows(frame):
    weights = np.arange(len(frame), dtype=float)
    how = {"cv": 3, "fit_params": {"sample_weight": weights}}
    X, y = frame[["a", "b"]], frame["price"]
    far = dd.from_pandas(frame[["a", "b", "price"]], npartitions=3)
    found = scores(sd.evaluate(Ridge(), far, "price", **how))
    want = cross_val_score(Ridge(), X, y, cv=3, params=how["fit_params"])
    np.testing.assert_array_equal(found[0], want)


class ByFirstColumn:
    """A splitter that looks at X."""

    def split(self, X, y=None, groups=None):
        first = X["a"].to_numpy()
        yield np.flatnonzero(first < 0), np.flatnonzero(first >= 0)

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


@pytest.mark.parametrize("cv", [ByFirstColumn(), ShuffleSplit(2, random_state=0)])
def test_splitters_see_what_they_look_at(frame, candidates, cv):
    far = dd.from_pandas(frame, npartitions=3)
    found = sd.evaluate(candidates, far, "price", cv=cv)
    np.testing.assert_array_equal(scores(found), expected(candidates, frame, cv=cv))


def test_what_cannot_be_read(tmp_path, frame):
    with pytest.raises(ConfigError, match=r"must end in one of \.csv"):
        sd.evaluate(Ridge(), "data.xyz", "price")
    with pytest.raises(ConfigError, match="has no columns"):
        sd.evaluate(Ridge(), np.ones((3, 2)), "price")
    with pytest.raises(FileNotFoundError):
        sd.evaluate(Ridge(), tmp_path / "nothing.parquet", "price")
    with pytest.raises(KeyError, match="nothing"):
        sd.evaluate(Ridge(), frame, "nothing")
    results = sd.evaluate(Ridge(), dd.from_pandas(frame[["a"]], npartitions=2), np.ones(30))
    assert "inconsistent numbers of samples: [300, 30]" in str(results.errors["Ridge"])


@pytest.mark.cluster
def test_on_a_cluster(tmp_path, frame, candidates):
    frame.to_parquet(tmp_path / "data.parquet")
    far = dd.from_pandas(frame, npartitions=4)
    want = expected(candidates, frame, cv=3)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as c,
        Client(c),
    ):
        for given in (tmp_path / "data.parquet", far, far.persist()):
            found = sd.evaluate(candidates, given, "price", cv=3)
            np.testing.assert_array_equal(scores(found), want)
