"""Clients of one cluster share what any of them has computed."""

from __future__ import annotations

import asyncio
import json
import os
import time
import warnings

import dask
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from dask._task_spec import Task, TaskRef
from distributed import Client, LocalCluster, wait
from distributed.security import Security

import stratum_dask as sd
from stratum_dask.passes import keep_values
from stratum_dask.runtime.costs import Kind, open_book
from stratum_dask.scheduler import StratumPlugin, messages
from stratum_dask.scheduler.cli import stratum
from stratum_dask.scheduler.client import shared_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def cluster():
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        dashboard_address=":0",
    ) as cluster:
        with Client(cluster) as client:
            client.register_plugin(StratumPlugin())
            prepare(client)
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster) as client:
        yield client


def prepare(client):
    """Wait until the plugin knows the workers, which it asks when it is asked first."""
    plugin = plugin_of(client)
    shared_cluster().values().find([])
    while len(plugin.makers) < len(plugin.scheduler.workers):
        time.sleep(0.01)


def plugin_of(client):
    return client.cluster.scheduler.plugins["stratum"]


def busy(n):
    # Calls must be worth keeping on any machine: longer than 10 ms by far.
    total = 0
    for i in range(n):
        total += i % 3
    return total


def load(n):
    return pd.DataFrame({"x": np.arange(n, dtype=float) + busy(1_000_000) * 0})


def scaled(df, by):
    return df.assign(x=df.x * by + busy(1_000_000) * 0)


def shifted(df, by):
    return df.assign(x=df.x + by + busy(1_000_000) * 0)


def total(df, add):
    return float(df.x.sum()) + add + busy(1_000_000) * 0


def edit(df):
    df.loc[:, "x"] = -1.0
    return float(df.x.sum())


d = dask.delayed


def batch(add=0):
    frame = d(load)(100)
    return [d(total)(d(scaled)(frame, by), add) for by in (1, 2, 3)]


def expected(add=0):
    return tuple(4950.0 * by + add for by in (1, 2, 3))


def tasks_of(client, run):
    """Return how many tasks were computed meanwhile, and the result."""
    before = plugin_of(client).counters["tasks"]
    result = run()
    return plugin_of(client).counters["tasks"] - before, result


def test_another_client_computes_nothing_again(cluster):
    with Client(cluster) as first:
        assert dask.compute(*sd.optimize(batch())) == expected()
        assert plugin_of(first).state()["retention"]["values"] == 7
    with Client(cluster) as second:
        after = sd.optimize(batch())
        assert [len(one.dask) for one in after] == [1, 1, 1]
        count, result = tasks_of(second, lambda: dask.compute(*after))
        assert result == expected() and count == 3  # copies
        state = plugin_of(second).state()
        assert state["hits"] == 3 and state["seconds_saved"] > 0
        # An edited batch shares all but what changed.
        count, result = tasks_of(second, lambda: dask.compute(*sd.optimize(batch(5))))
        assert result == expected(5) and count == 3


def test_the_same_collections_again(client):
    graphs = batch()
    assert dask.compute(*sd.optimize(graphs)) == expected()
    count, result = tasks_of(client, lambda: dask.compute(*sd.optimize(graphs)))
    assert result == expected() and count == 0
    persisted = client.persist(sd.optimize(graphs))
    assert dask.compute(*persisted) == expected()


def test_what_was_found_lives_until_it_is_used(client):
    assert dask.compute(*sd.optimize(batch())) == expected()
    after = sd.optimize(batch(5))
    plugin = plugin_of(client)
    for key in list(plugin.pins.retention):
        client.loop.add_callback(plugin.pins.drop, key)
    while plugin.pins.client in plugin.scheduler.clients:
        time.sleep(0.01)
    count, result = tasks_of(client, lambda: dask.compute(*after))
    assert result == expected(5) and count == 3


def test_a_late_release_takes_nothing_away_that_was_found(client, monkeypatch):
    plugin = plugin_of(client)
    plugin.pins.retention.budget = 0
    first = client.persist(sd.optimize(batch()))
    wait(first)
    # Questions take another way than releases, and may overtake them.
    late, send = [], client._send_to_scheduler
    monkeypatch.setattr(client, "_send_to_scheduler", late.append)
    del first
    deadline = time.time() + 10
    while len(late) < 3 and time.time() < deadline:
        time.sleep(0.01)
    again = sd.optimize(batch())
    assert [len(one.dask) for one in again] == [1, 1, 1]  # copies of what was found
    monkeypatch.setattr(client, "_send_to_scheduler", send)
    for message in late:
        client.loop.add_callback(send, message)
    time.sleep(0.2)  # until they have arrived
    count, result = tasks_of(client, lambda: dask.compute(*again))
    assert result == expected() and count == 3
    assert not plugin.off


def test_what_was_not_used_is_let_go(client):
    assert dask.compute(*sd.optimize(batch())) == expected()
    after = sd.optimize(batch(5))
    wants = plugin_of(client).scheduler.clients[client.id].wants_what
    deadline = time.time() + 10
    while len(wants) > 3 and time.time() < deadline:
        time.sleep(0.01)
    assert {ts.key.partition("-")[0] for ts in wants} == {"scaled"}
    del after
    while wants and time.time() < deadline:
        time.sleep(0.01)
    assert not wants


def test_a_lost_worker_costs_no_result(client):
    assert dask.compute(*sd.optimize(batch())) == expected()
    after = sd.optimize(batch(5))
    cluster = client.cluster
    before = set(cluster.scheduler.workers)
    cluster.sync(cluster.workers[0].close)
    assert dask.compute(*after) == expected(5)
    assert len(before) == 2


def test_edits_never_reach_what_is_shared(client):
    frame = d(scaled)(d(load)(100), 2)
    (first,) = dask.compute(*sd.optimize([d(edit)(frame)]))
    assert first == -100.0
    (second,) = dask.compute(*sd.optimize([d(edit)(d(scaled)(d(load)(100), 2))]))
    assert second == -100.0
    assert dask.compute(*sd.optimize(batch()))[1] == expected()[1]
    (third,) = dask.compute(*sd.optimize([d(edit)(d(scaled)(d(load)(100), 1))]))
    assert third == -100.0
    assert dask.compute(*sd.optimize(batch())) == expected()


def test_what_a_user_edits_in_this_process():
    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(StratumPlugin())
        prepare(client)
        (frame,) = dask.compute(*sd.optimize([d(scaled)(d(load)(100), 2)]))
        frame.iloc[:, 0] = -1.0
        count, (again,) = tasks_of(
            client, lambda: dask.compute(*sd.optimize([d(scaled)(d(load)(100), 2)]))
        )
        assert float(again.x.sum()) == 9900.0
        assert count == 1  # what the user was not given is shared


def test_a_users_name_never_stands_for_another_computation(client):
    def graph(by):
        return {
            "frame": Task("frame", load, 100),
            "scaled": Task("scaled", scaled, TaskRef("frame"), by),
            "total": Task("total", total, TaskRef("scaled"), 0),
        }

    def released():
        tasks = client.cluster.scheduler.tasks
        while {"frame", "scaled", "total"} & tasks.keys():
            time.sleep(0.01)
        return True

    for by in (1, 2, 3, 2):
        (after,) = sd.optimize([graph(by)])
        assert client.get(after, "total") == 4950.0 * by
        assert released()
        # Plain Dask, with the same names.
        assert client.get(graph(by + 10), "total") == 4950.0 * (by + 10)
        assert released()


def test_what_users_functions_took_is_learned(client, monkeypatch, tmp_path):
    monkeypatch.setattr(keep_values, "_UNKNOWN", 2)

    def batch(add):
        # Of ten unknown calls of two kinds, only two are kept at first.
        frame = d(load)(100)
        return [d(total)(d(shifted)(d(scaled)(frame, by), add), add) for by in range(5)]

    with dask.config.set({"stratum.costs.path": tmp_path / "book"}):
        kind = Kind(f"{__name__}.scaled", 1_000)
        assert open_book().find(kind) is None
        kept = []
        for add in range(3):
            before = plugin_of(client).state()["retention"]["values"]
            dask.compute(*sd.optimize(batch(add)))
            kept.append(plugin_of(client).state()["retention"]["values"] - before)
        assert open_book().find(kind).seconds > 0.002
        assert kept[1] > kept[0]  # all of the second step, by its costs on values that are there
        times = [
            times
            for ((name, _), (times, *_)) in plugin_of(client).journal.learning.since(0)[1]
            if name == kind.name
        ]
        # Which calls are kept at first, and so are tasks of one kind, is left open.
        assert sum(times) >= 1


def test_random_values_are_drawn_anew(client):
    def draw():
        return os.urandom(8)

    seen = {dask.compute(*sd.optimize([d(draw)()]))[0] for _ in range(3)}
    assert len(seen) == 3


def test_futures_are_no_identity(client):
    values = []
    for by in (1, 2):
        data = client.submit(load, 100 * by, key="data")
        (value,) = dask.compute(*sd.optimize([d(total)(d(scaled)(data, 1), 0)]))
        values.append(value)
        data.release()
        while "data" in client.cluster.scheduler.tasks:
            time.sleep(0.01)
    assert values == [4950.0, 19900.0]


def test_another_version_shares_nothing_and_says_so(client, monkeypatch):
    assert dask.compute(*sd.optimize(batch())) == expected()
    monkeypatch.setattr(
        plugin_of(client).answers,
        "_answer",
        lambda *_: {
            "status": "version",
            "version": "9.9/9",
        },
    )
    with pytest.warns(UserWarning, match=r"scheduler has stratum_dask 9.9/9"):
        after = sd.optimize(batch())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        sd.optimize(batch())
    assert len(after[0].dask) > 1
    assert dask.compute(*after) == expected()


def test_without_the_plugin_or_in_asynchronous_clients_nothing_is_asked(cluster):
    with Client(cluster) as client:
        assert shared_cluster() is not None
        with dask.config.set(scheduler="threads"):
            assert shared_cluster() is None
        client.set_metadata(messages.METADATA, None)
        assert shared_cluster() is None

    async def run():
        async with Client(cluster.scheduler_address, asynchronous=True):
            return shared_cluster()

    assert asyncio.run(run()) is None
    assert shared_cluster() is None


def test_status_on_the_command_line(client):
    dask.compute(*sd.optimize(batch()))
    dask.compute(*sd.optimize(batch(1)))
    address = client.scheduler.address
    said = CliRunner().invoke(stratum, ["status", address])
    assert said.exit_code == 0, said.output
    assert "6 done" in said.output and "3 of" in said.output
    found = json.loads(CliRunner().invoke(stratum, ["status", address, "--json"]).output)
    assert found["hits"] == 3 and len(found["named"]) == 6
    client.unregister_scheduler_plugin("stratum")
    client.set_metadata(messages.METADATA, None)
    said = CliRunner().invoke(stratum, ["status", address])
    assert said.exit_code == 1 and "has no plugin" in said.output


@pytest.mark.parametrize("given", [(), ("ca-file",), ("ca-file", "cert", "key")])
def test_status_of_an_encrypted_cluster_needs_certificates(given):
    files = [word for name in given for word in (f"--tls-{name}", __file__)]
    said = CliRunner().invoke(stratum, ["status", "tls://127.0.0.1:1", *files])
    assert said.exit_code == 1
    assert said.output.startswith("Error: the scheduler at tls://127.0.0.1:1")
    if len(given) < 3:
        assert "--tls-ca-file, --tls-cert and --tls-key" in said.output


def test_encrypted_clusters():
    security = Security.temporary()
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tls://",
            security=security,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster, security=security) as client,
    ):
        client.register_plugin(StratumPlugin())
        prepare(client)
        assert dask.compute(*sd.optimize(batch())) == expected()
        count, result = tasks_of(client, lambda: dask.compute(*sd.optimize(batch(5))))
        assert result == expected(5) and count == 3


def test_cancelling_one_clients_batch_leaves_the_others(cluster):
    with Client(cluster) as one, Client(cluster) as two:
        with one.as_current():
            mine = one.compute(sd.optimize(batch()))
            wait(mine)
        with two.as_current():
            theirs = two.compute(sd.optimize(batch(5)))
        one.cancel(mine)
        assert tuple(two.gather(theirs)) == expected(5)
