"""Clients take turns: whoever comes second does not wait for all of the first."""

from __future__ import annotations

import asyncio
import operator
import threading
import time

import pytest
from dask._task_spec import Task, TaskRef
from distributed import Client, wait
from distributed.utils_test import gen_cluster

from stratum_dask.scheduler import StratumPlugin

CONFIG = {"stratum.retention.bytes": 0, "stratum.retention.worker-share": 0.3}
OPTIONS = {"client": True, "nthreads": [("127.0.0.1", 1)] * 2}

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def turns_test(fair=True, **kwargs):
    def decorate(test):
        async def run(client, scheduler, *workers):
            await client.register_plugin(StratumPlugin())
            async with Client(scheduler.address, asynchronous=True) as other:
                await test(client, other, scheduler, *workers)
            assert not scheduler.plugins["stratum"].off

        run.__name__ = test.__name__
        return gen_cluster(**OPTIONS, config={**CONFIG, "stratum.fair": fair}, **kwargs)(run)

    return decorate


def slow(x, seconds=0.01):
    time.sleep(seconds)
    return x


def many(name, n, seconds=0.01):
    return {f"{name}-{i}": Task(f"{name}-{i}", slow, i, seconds) for i in range(n)}


def submit(client, dsk, **kwargs):
    # What comes within a minute is one generation for Dask, unless told otherwise.
    return client.get(dsk, list(dsk), sync=False, fifo_timeout="0 s", **kwargs)


def ahead(scheduler, name):
    """Return how many of a client's tasks are done."""
    return sum(ts.state == "memory" for ts in scheduler.tasks.values() if ts.prefix.name == name)


async def until(condition):
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("did not happen")


@turns_test()
async def test_a_small_batch_does_not_wait_for_a_huge_one(one, two, s, a, b):
    huge = submit(one, many("huge", 300))
    await until(lambda: ahead(s, "huge") >= 20)
    small = submit(two, many("small", 10))
    await wait(small)
    assert ahead(s, "huge") < 150
    await wait(huge)


@turns_test(fair=False)
async def test_switched_off_it_is_dasks_order(one, two, s, a, b):
    huge = submit(one, many("huge", 100))
    small = submit(two, many("small", 10))
    await wait(small)
    assert ahead(s, "huge") > 90
    assert {ts.priority[1] for ts in s.tasks.values()} == {1, 2}
    await wait(huge)


@turns_test()
async def test_turns_are_of_time_not_of_tasks(one, two, s, a, b):
    await wait(submit(one, many("long", 4, 0.1)))  # what they take is known now
    await wait(submit(two, many("short", 4, 0.01)))
    longs = submit(one, {f"{key}x": Task(f"{key}x", slow, 0, 0.1) for key in many("long", 60)})
    shorts = submit(two, {f"{key}x": Task(f"{key}x", slow, 0, 0.01) for key in many("short", 60)})
    await wait(shorts)
    # 60 short ones take as long as 6 long ones, and some are ahead.
    assert ahead(s, "long") - 4 <= 20
    await wait(longs)


@turns_test()
async def test_each_clients_tasks_keep_their_order(one, two, s, a, b):
    first = submit(one, many("first", 20))
    second = submit(one, many("second", 20))
    await until(lambda: len(s.tasks) == 40)
    places = {ts.key: ts.priority for ts in s.tasks.values()}
    in_order = sorted(places, key=places.get)
    assert [key.partition("-")[0] for key in in_order] == ["first"] * 20 + ["second"] * 20
    orders = [places[key][2] for key in in_order[:20]]
    assert orders == sorted(orders)
    await wait([*first, *second])


@turns_test()
async def test_what_users_say_comes_first(one, two, s, a, b):
    huge = submit(one, many("huge", 100))
    late = submit(two, many("late", 10), priority=-1)
    await wait(late)
    assert ahead(s, "huge") > 90
    await wait(huge)


GO = threading.Event()


def waits(x):
    GO.wait(10)
    return x


@turns_test()
async def test_what_two_clients_wait_for_comes_at_the_better_place(one, two, s, a, b):
    GO.clear()
    blocked = submit(one, {f"block-{i}": Task(f"block-{i}", waits, i) for i in range(2)})
    dsk = many("huge", 200)
    huge = submit(one, dsk)
    await until(lambda: "huge-0" in s.tasks)
    last = max(
        (ts for ts in s.tasks.values() if ts.prefix.name == "huge"),
        key=operator.attrgetter("priority"),
    )
    before = last.priority
    both = submit(two, {last.key: dsk[last.key]})
    await until(lambda: last.priority < before)
    GO.set()
    await wait(both)
    assert ahead(s, "huge") < 60
    assert s.queued.peek() in s.tasks.values()
    await wait([*blocked, *huge])


@turns_test()
async def test_cancelled_tasks_hold_up_nobody(one, two, s, a, b):
    turns = s.plugins["stratum"].turns
    huge = submit(one, many("huge", 500, 0.02))
    other = submit(two, many("other", 100, 0.02))
    await until(lambda: ahead(s, "other") >= 5)
    await one.cancel(huge)
    await until(lambda: not any(ts.prefix.name == "huge" for ts in s.tasks.values()))
    again = submit(one, many("again", 5, 0.02))
    await wait(again)
    assert ahead(s, "other") < 60
    await wait(other)
    del again, other, huge
    await until(lambda: not s.tasks)
    assert not turns._line_of


@turns_test()
async def test_tasks_that_depend_on_each_other(one, two, s, a, b):
    def chains(name):
        dsk = many(name, 60)
        for i in range(60):
            dsk[f"{name}end-{i}"] = Task(f"{name}end-{i}", slow, TaskRef(f"{name}-{i}"))
        return dsk

    huge, small = chains("huge"), chains("small")
    wanted = [key for key in huge if "end" in key]
    first = one.get(huge, wanted, sync=False)
    await until(lambda: ahead(s, "hugeend") >= 5)
    second = two.get(
        {k: v for k, v in small.items() if k.endswith("-1")}, ["smallend-1"], sync=False
    )
    await wait(second)
    assert ahead(s, "hugeend") < 40
    assert await one.gather(first) == list(range(60))


@turns_test()
async def test_switching_off_leaves_new_tasks_behind_old_ones(one, two, s, a, b):
    huge = submit(one, many("huge", 100))
    await wait(huge[:1])
    plugin = s.plugins["stratum"]
    await one.unregister_scheduler_plugin("stratum")
    plugin._tick()
    plain = submit(two, many("plain", 5))
    await wait(plain)
    assert ahead(s, "huge") > 90
    await wait(huge)
    await one.register_plugin(StratumPlugin())  # for the check at the end
