"""Wishes of plans on a real scheduler: where tasks run, in which order, when Dask takes over."""

from __future__ import annotations

import asyncio
import time

import pytest
from dask._task_spec import Task, TaskRef
from distributed import wait
from distributed.utils_test import gen_cluster

from stratum_dask.scheduler import StratumPlugin
from stratum_dask.scheduler.messages import Wishes, pack

CONFIG = {"stratum.retention.bytes": 0, "stratum.retention.worker-share": 0.3, "stratum.fair": True}

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def placing_test(**kwargs):
    def decorate(test):
        async def run(client, scheduler, *workers):
            await client.register_plugin(StratumPlugin())
            await test(client, scheduler, scheduler.plugins["stratum"], *workers)

        run.__name__ = test.__name__
        options = {"client": True, "nthreads": [("127.0.0.1", 1)] * 2, "config": CONFIG, **kwargs}
        return gen_cluster(**options)(run)

    return decorate


def slow(x, seconds=0.0):
    time.sleep(seconds)
    return x


def graph(n, seconds=0.01):
    tasks = {"root": Task("root", slow, 1)}
    for i in range(n):
        tasks[f"user-{i}"] = Task(f"user-{i}", slow, TaskRef("root"), seconds)
    return tasks


def announce(plugin, keys, addresses, seconds=10.0):
    numbers = {address: i for i, address in enumerate(dict.fromkeys(addresses))}
    wishes = Wishes(list(keys), list(numbers), [numbers[one] for one in addresses], seconds)
    answer = plugin.answers.place(**pack(wishes))
    assert answer["status"] == "OK", answer


@placing_test()
async def test_tasks_run_where_and_in_the_order_they_are_meant_to(client, s, plugin, a, b):
    dsk = graph(20)
    keys = ["root", *(f"user-{i}" for i in reversed(range(20)))]
    where = [a.address, *[b.address] * 20]
    announce(plugin, keys, where)
    futures = client.get(dsk, [f"user-{i}" for i in range(20)], sync=False)
    await wait(futures)
    assert {next(iter(s.tasks[f.key].who_has)).address for f in futures} == {b.address}
    # The first is any of those that become ready when the root arrives.
    order = [int(key.removeprefix("user-")) for key in _computed(b) if key.startswith("user")][1:]
    assert len(order) == 19
    assert order == sorted(order, reverse=True)
    assert not plugin.placing.wishes
    assert plugin.state()["placed"] == 21


def _computed(worker):
    return [
        event[0]
        for event in worker.state.log
        if len(event) > 2 and event[1] == "executing" and event[2] == "memory"
    ]


@placing_test()
async def test_an_order_alone_leaves_the_place_to_dask(client, s, plugin, a, b):
    keys = ["root", *(f"user-{i}" for i in reversed(range(40)))]
    announce(plugin, keys, [""] * 41)
    futures = client.get(graph(40), keys[1:], sync=False)
    await wait(futures)
    assert {next(iter(s.tasks[f.key].who_has)).address for f in futures} == {a.address, b.address}
    assert not any(ts.worker_restrictions for ts in s.tasks.values())
    for worker in (a, b):
        order = [int(k.removeprefix("user-")) for k in _computed(worker) if k.startswith("user")]
        assert order[2:] == sorted(order[2:], reverse=True)
    assert plugin.state()["placed"] == 0 and not plugin.placing.wishes


@placing_test()
async def test_what_is_late_is_left_to_dask(client, s, plugin, a, b):
    keys = ["root", *(f"user-{i}" for i in range(60))]
    announce(plugin, keys, [a.address] * 61, seconds=0.0)
    futures = client.get(graph(60, 0.1), keys[1:], sync=False)
    await wait(futures)
    assert {next(iter(s.tasks[f.key].who_has)).address for f in futures} == {a.address, b.address}


@placing_test()
async def test_nobody_steals_while_the_plan_is_on_time(client, s, plugin, a, b):
    keys = ["root", *(f"user-{i}" for i in range(30))]
    announce(plugin, keys, [a.address] * 31, seconds=60.0)
    futures = client.get(graph(30, 0.05), keys[1:], sync=False)
    await wait(futures)
    assert {next(iter(s.tasks[f.key].who_has)).address for f in futures} == {a.address}


@placing_test()
async def test_tasks_run_elsewhere_when_their_worker_is_gone(client, s, plugin, a, b):
    keys = ["root", *(f"user-{i}" for i in range(20))]
    announce(plugin, keys, [a.address] * 21)
    futures = client.get(graph(20, 0.05), keys[1:], sync=False)
    while not s.workers[a.address].processing:
        await asyncio.sleep(0.01)
    await a.close()
    assert await client.gather(futures) == [1] * 20


@placing_test()
async def test_unknown_workers_and_own_wishes_are_left_alone(client, s, plugin, a, b):
    keys = ["root", *(f"user-{i}" for i in range(4))]
    announce(plugin, keys, ["tcp://127.0.0.1:1"] * 5)
    futures = client.get(graph(4), keys[1:], sync=False, workers=[b.address])
    await wait(futures)
    assert {next(iter(s.tasks[f.key].who_has)).address for f in futures} == {b.address}


@placing_test()
async def test_wishes_that_are_none_are_refused(client, s, plugin, a, b):
    good = pack(Wishes(["x"], [a.address], [0], 1.0))
    for name, wrong in [
        ("workers", [1]),
        ("workers", [0, 0]),
        ("workers", ["a"]),
        ("seconds", float("nan")),
        ("seconds", -1.0),
        ("keys", "x" * 3),
    ]:
        assert plugin.answers.place(**{**good, name: wrong})["status"] == "refused", name
    assert plugin.answers.place(**good)["status"] == "OK"
    assert not plugin.off
