"""The same results on a cluster as without one."""

from __future__ import annotations

import pickle

import dask
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster, as_completed
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd
from stratum_dask.ops.outcomes import Outcome
from tests.ops.oracle import at_odd_address

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as c,
        Client(c) as client,
    ):
        yield client


def frame(n):
    return pd.DataFrame({"x": np.arange(n, dtype=float)})


def scale(df, by):
    return df.assign(x=df.x * by)


def total(df):
    return float(df.x.sum())


def batch():
    return [
        dask.delayed(total)(dask.delayed(scale)(dask.delayed(frame)(1_000), by))
        for by in (1, 2, 3, 2)
    ]


def test_compute_persist_and_as_completed(client):
    expected = list(dask.compute(*batch(), scheduler="sync"))
    after = sd.optimize(batch())
    assert client.gather(client.compute(after)) == expected
    assert list(dask.compute(*after)) == expected
    futures = {client.compute(one).key: i for i, one in enumerate(sd.optimize(batch()))}
    assert len(futures) == 4
    results = dict(as_completed(client.compute(sd.optimize(batch())), with_results=True))
    assert sorted(results.values()) == sorted(expected)
    assert [one.compute() for one in client.persist(sd.optimize(batch()))] == expected


def test_twins_are_separate_futures(client):
    after = sd.optimize(batch())
    one, twin = client.compute([after[1], after[3]])
    assert one.key != twin.key
    one.cancel()
    assert twin.result(timeout=30) == 2 * 499_500


def test_futures_inside_graphs(client):
    data = client.scatter(frame(10))
    before = [dask.delayed(total)(dask.delayed(scale)(data, by)) for by in (1, 2)]
    after = sd.optimize(before)
    del before, data
    assert client.gather(client.compute(after)) == [45.0, 90.0]


def test_hook_on_the_scheduler(client):
    with dask.config.set(delayed_optimize=sd.delayed_optimize):
        assert list(dask.compute(*batch())) == [499_500.0 * by for by in (1, 2, 3, 2)]


def test_processes():
    after = sd.optimize(batch())
    expected = tuple(499_500.0 * by for by in (1, 2, 3, 2))
    assert dask.compute(*after, scheduler="processes", num_workers=2) == expected


def test_values_arrive_as_they_were(client):
    """NumPy adds up arrays at odd addresses in another order, and messages begin anywhere."""
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame(rng.normal(size=(50_000, 3)), columns=list("abc")), rng.normal(size=50_000)
    for values in (X, X[:100], y, (y, [X]), lambda x: y, None):
        parts = []
        sent = pickle.dumps(Outcome(values, None, {}), protocol=5, buffer_callback=parts.append)
        arrived = pickle.loads(sent, buffers=[at_odd_address(part.raw()) for part in parts]).value
        while isinstance(arrived, tuple | list):
            arrived = arrived[0]
        if callable(arrived):
            arrived = arrived(0)
        assert arrived is None or np.asarray(arrived).flags.aligned
    frozen = y.copy()
    frozen.flags.writeable = False
    for protocol in (4, 5):
        sent = pickle.dumps(Outcome([y, frozen], None, {}), protocol)
        arrived = pickle.loads(sent).value
        assert [one.flags.writeable for one in arrived] == [True, protocol < 5]
    pipeline = make_pipeline(StandardScaler(), Ridge())
    remote = sd.evaluate(pipeline, X, y).frame
    with dask.config.set(scheduler="sync"):
        local = sd.evaluate(pipeline, X, y).frame
    columns = [name for name in local if name.startswith("fold")]
    assert remote[columns].equals(local[columns])
