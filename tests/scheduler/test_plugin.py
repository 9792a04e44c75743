"""The plugin's hooks and what clients may ask, on a scheduler in this process."""

from __future__ import annotations

import asyncio
import threading

import dask
import pytest
from dask._task_spec import Task, TaskRef
from distributed import Client, Scheduler, Worker, wait
from distributed.utils_test import gen_cluster

from stratum_dask.environment import Environment, environment
from stratum_dask.ops.outcomes import NoValue
from stratum_dask.scheduler import StratumPlugin, dask_setup, messages, pins
from stratum_dask.scheduler.asking import ask_worker
from stratum_dask.scheduler.messages import Announcement, Question, pack

PLAN = "0123456789ab"

# Dask's helpers for tests forget all defaults but Dask's own.
CONFIG = {
    "stratum.retention.bytes": 1_000_000,
    "stratum.retention.worker-share": 0.3,
    "stratum.fair": True,
}

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def plugin_test(**kwargs):
    """Run a test with a scheduler that has the plugin, and knows its workers."""

    def decorate(test):
        async def run(client, scheduler, *workers):
            await client.register_plugin(StratumPlugin())
            plugin = scheduler.plugins["stratum"]
            scheduler.client_desires_keys([], "me")  # as if it were connected
            plugin.answers.find(**question([]))
            while len(plugin.makers) < len(workers):
                await asyncio.sleep(0.01)
            await test(client, scheduler, plugin, *workers)

        run.__name__ = test.__name__
        options = {"client": True, "nthreads": [("127.0.0.1", 1)] * 2, "config": CONFIG, **kwargs}
        return gen_cluster(**options)(run)

    return decorate


def key_of(name):
    return f"{name}-{PLAN}"


def token_of(name):
    return name.encode().ljust(16, b"\0")


def announcement(names, **changes):
    said = Announcement(
        client="me",
        form=messages.BARE,
        environment=environment().name,
        plan=PLAN,
        keys=[key_of(name) for name in names],
        tokens=[token_of(name) for name in names],
        shared=[1.0] * len(names),
        wanted=[key_of(names[-1])],
        candidates=[("one", [key_of(names[-1])])],
        merged=3,
        reused=[],
        works=[],
        process=("here", 1),
        store={},
    )
    return pack(said._replace(**changes))


def question(names, client="me", **changes):
    asked = Question(client, [token_of(name) for name in names], messages.BARE, environment().name)
    return pack(asked._replace(**changes))


def slow_sum(n, *_):
    """Take longer than what is not worth keeping."""
    total = 0
    for i in range(300_000):
        total += i % 7
    return total * 0 + n


def chain(names):
    """A task for each name that depends on the one before."""
    before = []
    tasks = {}
    for number, name in enumerate(names):
        tasks[key_of(name)] = Task(key_of(name), slow_sum, number, *before)
        before = [TaskRef(key_of(name))]
    return tasks


async def computed(client, names):
    (future,) = client.get(chain(names), [key_of(names[-1])], sync=False)
    await wait(future)
    return future


def known(plugin, names, **changes):
    answer = plugin.answers.find(**question(names, **changes))
    assert answer["status"] == "OK"
    return [key for _, key, _ in answer["found"]]


async def until(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen")


@plugin_test()
async def test_what_is_computed_is_kept_and_found(c, s, plugin, a, b):
    assert plugin.answers.announce(**announcement(["x", "y"])) == {"status": "OK"}
    assert known(plugin, ["x", "y"]) == []
    future = await computed(c, ["x", "y"])
    assert set(plugin.pins.retention) == {key_of("x"), key_of("y")}
    future.release()
    await until(lambda: c.id not in {cs.client_key for cs in s.tasks[key_of("y")].who_wants})
    assert known(plugin, ["x", "no", "y"], client=c.id) == [key_of("x"), key_of("y")]
    assert s.clients[c.id].wants_what == {s.tasks[key_of("x")], s.tasks[key_of("y")]}
    # The time of what was computed for it counts, but not of what is kept itself.
    kept = plugin.pins.retention.kept
    assert kept[key_of("x")].seconds > 0.002
    assert plugin.registry.values[key_of("y")].seconds < 3 * kept[key_of("x")].seconds
    assert plugin.state()["misses"] == 3


@plugin_test()
async def test_other_forms_environments_and_versions_do_not_mix(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    assert known(plugin, ["x"], form="outcome") == []
    answer = plugin.answers.find(**question(["x"], environment="another"))
    assert answer["found"] == []
    assert set(answer["others"]) == {a.address, b.address}
    other = {**question(["x"]), "version": "0.0.0/1"}
    assert plugin.answers.find(**other) == {"status": "version", "version": messages.version()}
    assert plugin.answers.announce(**{**announcement(["x"]), "version": ""})["status"] == "version"
    # Inner threads change last bits of plain values; where they differ, nothing is known of them.
    plugin.makers._found[s.workers[b.address].server_id] = Environment(environment().name, 99)
    assert known(plugin, ["x"]) == []
    del future


@plugin_test()
async def test_values_of_unknown_workers_are_not_shared(c, s, plugin, a, b):
    plugin.makers._found.clear()
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    assert known(plugin, ["x"]) == []
    assert plugin.state()["environments"] == {"unknown": 2}
    del future


@plugin_test()
async def test_names_that_others_may_use_need_the_plans_mark(c, s, plugin, a, b):
    said = {"keys": ["named"], "wanted": ["named"], "candidates": []}
    plugin.answers.announce(**announcement(["x"], **said))
    future = c.submit(slow_sum, 1, key="named")
    await wait(future)
    assert known(plugin, ["x"]) == [] and len(plugin.pins.retention) == 0
    future.release()
    await until(lambda: "named" not in s.tasks)
    plugin.answers.announce(**announcement(["x"], **said))
    with dask.annotate(stratum=PLAN):
        (future,) = c.get({"named": Task("named", slow_sum, 1)}, ["named"], sync=False)
    await wait(future)
    assert known(plugin, ["x"]) == ["named"]


@plugin_test()
async def test_what_plain_tasks_may_edit_is_shared_no_more(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    assert known(plugin, ["x"]) == [key_of("x")]
    await c.submit(lambda value: value, future)
    assert known(plugin, ["x"]) == []
    await until(
        lambda: plugin.pins.client not in {cs.client_key for cs in s.tasks[key_of("x")].who_wants}
    )


@plugin_test()
async def test_a_lost_worker_takes_its_values_along(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x", "y"]))
    future = await computed(c, ["x", "y"])
    future.release()
    await until(lambda: plugin.registry.values[key_of("y")].maker and not c.futures)
    await a.close()
    await b.close()
    await until(lambda: not s.tasks)  # nobody wants them: they are not computed again
    assert len(plugin.pins.retention) == 0 and plugin.pins.retention.nbytes == 0
    assert not plugin.registry.values and not plugin.registry.plans


@plugin_test()
async def test_what_a_client_found_is_computed_again_when_its_worker_is_lost(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x", "y"]))
    future = await computed(c, ["x", "y"])
    future.release()
    await until(lambda: not c.futures)
    assert known(plugin, ["y"], client=c.id) == [key_of("y")]
    (ws,) = s.tasks[key_of("y")].who_has
    await (a if a.address == ws.address else b).close()
    await until(lambda: s.tasks[key_of("y")].state == "memory")
    assert known(plugin, ["y"]) == [key_of("y")]


@plugin_test()
async def test_cancelled_batches_stop(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x", "y", "z"]))
    (future,) = c.get(chain(["x", "y", "z"]), [key_of("z")], sync=False)
    await until(lambda: key_of("z") in s.tasks)
    await future.cancel()
    await until(lambda: all(ts.state != "processing" for ts in s.tasks.values()))
    await until(lambda: plugin.journal.accounting.counts["cancelled"] == 1)
    assert plugin.state()["named"][0]["status"] == "cancelled"


@plugin_test()
async def test_a_client_that_vanishes_leaves_what_is_kept(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x", "y"]))
    async with Client(s.address, asynchronous=True) as other:
        future = await computed(other, ["x", "y"])
        del future
    await until(lambda: other.id not in s.clients)
    assert known(plugin, ["x", "y"]) == [key_of("x"), key_of("y")]


@plugin_test()
async def test_a_failing_hook_leaves_plain_dask(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    await computed(c, ["x"])
    plugin.pins.offer = None  # is called by the hook
    names = ["p", "q"]
    plugin.answers.announce(**announcement(names))
    future = await computed(c, names)
    assert await future == 1
    assert "transition" in plugin.off
    await until(lambda: plugin.pins.client not in s.clients)
    assert plugin.answers.find(**question(["x"]))["status"] == "off"
    assert messages.METADATA not in s.task_metadata
    assert plugin.state()["off"] == plugin.off


@plugin_test()
async def test_unregistering_releases_everything(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    future.release()
    await until(lambda: not c.futures)
    assert key_of("x") in s.tasks
    await c.unregister_scheduler_plugin("stratum")
    plugin._tick()
    assert plugin.off == "it was unregistered"
    await until(lambda: not s.tasks)
    await c.register_plugin(StratumPlugin())
    assert s.plugins["stratum"].answers.find(**question(["x"]))["status"] == "OK"
    assert (await c.scheduler.stratum_find(**question(["x"])))["status"] == "OK"


@plugin_test()
async def test_restart_forgets(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    await computed(c, ["x"])
    await s.restart(wait_for_workers=False, stimulus_id="test")
    assert len(plugin.pins.retention) == 0 and not plugin.registry.values and not plugin.off
    assert s.task_metadata[messages.METADATA] == messages.version()
    plugin.answers.find(**question([]))
    async with Worker(s.address) as new:
        await until(lambda: s.workers[new.address].server_id in plugin.makers._found)
        plugin.answers.announce(**announcement(["x"]))
        future = await computed(c, ["x"])
        assert known(plugin, ["x"]) == [key_of("x")]
        del future


@plugin_test()
async def test_the_budget_holds(c, s, plugin, a, b):
    budget = plugin.pins.retention.budget = 20_000
    names = ["u", "v", "w", "x", "y", "z"]
    plugin.answers.announce(**announcement(names))
    future = await computed(c, names)
    state = plugin.state()["retention"]
    assert 0 < state["bytes"] <= budget and state["evictions"] + state["refused"] > 0
    assert state["values"] == 2  # small ones count as what their keys cost the scheduler
    await until(lambda: len(s.clients[plugin.pins.client].wants_what) == len(plugin.pins.retention))
    assert {ts.key for ts in s.clients[plugin.pins.client].wants_what} == set(plugin.pins.retention)
    del future


@plugin_test()
async def test_workers_short_of_memory_keep_less(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x", "y"]))
    future = await computed(c, ["x", "y"])
    assert len(plugin.pins.retention) == 2
    for ws in s.workers.values():
        ws.memory_limit = 1
    plugin._look()
    assert len(plugin.pins.retention) == 0 and not plugin.off
    await until(lambda: plugin.pins.client not in s.clients)
    for ws in s.workers.values():
        ws.memory_limit = 1_000_000
        ws.metrics["spilled_bytes"] = {"memory": 1, "disk": 1}
    plugin._look()  # as once a second
    plugin.answers.announce(**announcement(["p", "q"]))
    other = await computed(c, ["p", "q"])
    assert len(plugin.pins.retention) == 0
    del future, other


def fails(*_):
    slow_sum(0)
    return NoValue(None, None, {})


@plugin_test()
async def test_failures_are_not_shared(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x", "y"]))
    tasks = {
        key_of("x"): Task(key_of("x"), fails),
        key_of("y"): Task(key_of("y"), fails, TaskRef(key_of("x"))),
    }
    (future,) = c.get(tasks, [key_of("y")], sync=False)
    await wait(future)
    assert known(plugin, ["x", "y"]) == [] and len(plugin.pins.retention) == 0
    assert plugin.state()["candidates"]["failed"] == 1


EVENT = threading.Event()


def waits(*_):
    EVENT.wait(10)


def raises():
    raise ValueError("no")


@plugin_test()
async def test_candidates_are_followed(c, s, plugin, a, b):
    EVENT.clear()
    keys = [key_of(name) for name in "xyz"]
    candidates = [("good", [keys[0]]), ("bad", [keys[1]]), ("both", [keys[0], keys[2]])]
    plugin.answers.announce(**announcement(list("xyz"), candidates=candidates))
    assert plugin.state()["candidates"]["waiting"] == 3
    tasks = {
        keys[0]: Task(keys[0], waits),
        keys[1]: Task(keys[1], raises),
        keys[2]: Task(keys[2], waits, TaskRef(keys[0])),
    }
    futures = c.get(tasks, keys, sync=False)
    await until(lambda: plugin.state()["candidates"]["failed"] == 1)
    await until(lambda: plugin.state()["candidates"]["running"] == 2)
    EVENT.set()
    await wait(futures)
    state = plugin.state()
    assert state["candidates"]["done"] == 2 and state["merged"] == 3 and state["plans"] == 1
    assert {one["name"]: one["status"] for one in state["named"]} == {
        "good": "done",
        "bad": "failed",
        "both": "done",
    }
    assert (await c.scheduler.stratum_state())["candidates"] == state["candidates"]


@plugin_test()
async def test_malformed_messages_are_refused(c, s, plugin, a, b):
    answer = plugin.answers.find(**question(["x"], client="nobody"))
    assert answer["status"] == "stranger" and "nobody" not in s.clients
    good = announcement(["x"])
    for change in (
        {"keys": 3},
        {"tokens": b"short"},
        {"shared": []},
        {"plan": None},
        {"client": "x" * 1_000},
        {"wanted": "no"},
        {"process": "here"},
        {"works": [("kind", 0)]},
        {"works": [("kind", 1), None]},
        {"works": [("k" * 300, 1)]},
        {"works": ["k"]},
        {"process": ["here", "1"]},
        {"store": []},
        {"store": {"hit": "many"}},
        {"merged": "many"},
        {"merged": None},
        {"shared": ["much"]},
        {"candidates": [("one",)]},
        {"keys": [{}]},
        {"wanted": [[]]},
        {"reused": [{}]},
        {"candidates": [("one", [{}])]},
        {"shared": [float("nan")]},
        {"shared": [-1.0]},
        {"merged": -1},
    ):
        answer = plugin.answers.announce(**{**good, **change})
        assert answer["status"] == "refused" and answer["reason"], change
    wishes = pack(messages.Wishes([key_of("x")], ["w"], [0], 1.0))
    assert plugin.answers.place(**{**wishes, "keys": [{}]})["status"] == "refused"
    assert not plugin.off and not plugin.registry.values


@plugin_test()
async def test_plans_that_are_never_submitted_are_forgotten(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    plugin.registry.plans[PLAN].seen = 0
    plugin._look()
    assert not plugin.registry.values and not plugin.registry.plans
    assert plugin.state()["candidates"]["waiting"] == 0


@plugin_test()
async def test_what_is_never_submitted_of_a_plan_is_forgotten(c, s, plugin, a, b):
    """A user who optimizes many graphs may compute few of them."""
    candidates = [("run", [key_of("x")]), ("left", [key_of("z")])]
    plugin.answers.announce(**announcement(["x", "y", "z"], candidates=candidates))
    future = await computed(c, ["x"])
    plugin.registry.plans[PLAN].seen = 0
    plugin._look()
    assert list(plugin.registry.values) == [key_of("x")]
    state = plugin.state()["candidates"]
    assert state["done"] == 1 and sum(state.values()) == 1
    plugin.pins.drop(key_of("x"))
    future.release()
    await until(lambda: not s.tasks)
    assert not plugin.registry.values and not plugin.registry.plans


@plugin_test()
async def test_a_candidate_whose_value_is_there_already_is_done(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    plugin.answers.announce(**announcement(["x"], plan="another"))
    assert plugin.state()["candidates"]["done"] == 2
    del future


@plugin_test()
async def test_what_is_kept_moves_with_the_data_of_workers_that_retire(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    (ws,) = s.tasks[key_of("x")].who_has
    other = a.address if b.address == ws.address else b.address
    await s.retire_workers(workers=[ws.address], close_workers=True, remove=True)
    assert plugin.state()["retention"]["workers"] == {other: pins.LEAST}
    assert known(plugin, ["x"]) == [key_of("x")]  # whoever made it is known though it is gone
    s.workers[other].memory_limit = 1
    plugin._look()
    assert len(plugin.pins.retention) == 0 and not plugin.pins.retention.by_worker
    del future


@plugin_test()
async def test_workers_that_come_and_go_are_forgotten(c, s, plugin, a, b):
    for _ in range(100):
        plugin.makers._found[f"gone {_}"] = environment()
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    plugin.registry.values[key_of("x")].maker = "gone 7"
    plugin._look()
    there = {ws.server_id for ws in s.workers.values()}
    assert set(plugin.makers._found) == {*there, "gone 7"}
    assert known(plugin, ["x"]) == [key_of("x")]
    del future


@plugin_test()
async def test_a_plugin_by_another_name_works(c, s, plugin, a, b):
    await c.unregister_scheduler_plugin("stratum")
    await c.register_plugin(StratumPlugin(), name="mine")
    mine = s.plugins["mine"]
    mine._tick()
    assert not mine.off
    assert (await c.scheduler.stratum_find(**question(["x"])))["status"] == "OK"
    await c.register_plugin(StratumPlugin(), name="another")
    assert "another" in mine.off and not s.plugins["another"].off
    s.plugins["another"]._tick()
    mine._tick()
    assert not s.plugins["another"].off
    assert s.task_metadata[messages.METADATA] == messages.version()


UNPICKLED = []


class Code:
    """Runs where it is unpickled."""

    def __reduce__(self):
        return UNPICKLED.append, (1,)


def answers_with_code():
    return Code()


@plugin_test()
async def test_nothing_that_workers_answer_is_unpickled(c, s, plugin, a, b):
    """Scheduler and workers may trust each other less than to run each other's code."""

    with pytest.raises((TypeError, ValueError)):
        await ask_worker(s, a.address, answers_with_code, 5.0)
    assert not UNPICKLED


@plugin_test()
async def test_quick_tasks_are_not_kept(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    key = key_of("x")
    (future,) = c.get({key: Task(key, abs, -1)}, [key], sync=False)
    await wait(future)
    assert len(plugin.pins.retention) == 0
    assert known(plugin, ["x"]) == [key]  # while somebody wants it
    del future


@gen_cluster(nthreads=[], config=CONFIG)
async def test_preload(s):
    await dask_setup(s)
    await dask_setup(s)
    assert isinstance(s.plugins["stratum"], StratumPlugin)


def test_preload_by_configuration():
    async def run():
        with dask.config.set(
            {"distributed.scheduler.preload": ["stratum_dask.scheduler"], **CONFIG}
        ):
            async with Scheduler(port=0, dashboard_address=":0") as s:
                assert isinstance(s.plugins["stratum"], StratumPlugin)

    asyncio.run(run())


@plugin_test()
async def test_a_plugin_that_goes_releases_nothing_of_its_successors(c, s, plugin, a, b):
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    await c.unregister_scheduler_plugin("stratum")
    await c.register_plugin(StratumPlugin())
    successor = s.plugins["stratum"]
    successor.answers.announce(**announcement(["x"]))
    (ws,) = s.tasks[key_of("x")].who_has
    await (a if a.address == ws.address else b).close()  # what is wanted is computed again
    await until(lambda: key_of("x") in successor.pins.retention)
    future.release()
    await until(lambda: not c.futures)
    plugin._tick()
    assert plugin.off == "it was unregistered"
    await until(lambda: plugin.pins.client not in s.clients)
    assert s.tasks[key_of("x")].state == "memory"


@plugin_test()
async def test_what_was_found_is_held_until_the_client_wants_it_by_its_own_way(c, s, plugin, a, b):
    plugin.pins.retention.budget = 0
    plugin.answers.announce(**announcement(["x"]))
    future = await computed(c, ["x"])
    assert known(plugin, ["x"], client=c.id) == [key_of("x")]
    s.client_releases_keys([key_of("x")], c.id)  # as if it had been sent before
    assert s.tasks[key_of("x")].state == "memory"
    (holder,) = plugin.pins._held
    plugin.pins._let_go(holder)  # as after ten seconds
    assert not s.tasks
    assert not any(name.startswith(plugin.pins.client) for name in s.clients)
    del future


@plugin_test()
async def test_clients_learn_what_tasks_took(c, s, plugin, a, b):
    works = [("sum", 1), None, ("sum", 3)]
    plugin.answers.announce(**announcement(["x", "y", "z"], works=works))
    future = await computed(c, ["x", "y", "z"])
    answer = plugin.answers.find(**question([]))
    found = dict(answer["costs"])
    assert {name for name, _ in found} == {"sum"}
    assert sum(sums.times for sums in found.values()) == 2
    assert sum(sums.rounds for sums in found.values()) == 4
    assert sum(sums.seconds for sums in found.values()) > 0.004
    assert plugin.answers.find(**question([], learned=answer["learned"]))["costs"] == []
    plugin.answers.announce(**announcement(["p"], works=[("other", 1)]))
    other = await computed(c, ["p"])
    answer = plugin.answers.find(**question([], learned=answer["learned"]))
    (((name, _), sums),) = answer["costs"]
    assert name == "other" and sums.times == 1 and sums.given == 0
    del future, other


@plugin_test()
async def test_a_client_that_dies_in_the_middle_of_its_batch(c, s, plugin, a, b):
    EVENT.clear()
    plugin.answers.announce(**announcement(["x", "y"]))
    async with Client(s.address, asynchronous=True) as other:

        async def dead():
            return None

        other._reconnect = dead
        tasks = chain(["x", "y"])
        tasks[key_of("y")] = Task(key_of("y"), waits, TaskRef(key_of("x")))
        futures = other.get(tasks, [key_of("y")], sync=False)
        await until(lambda: key_of("y") in s.tasks and s.tasks[key_of("y")].state == "processing")
        other.scheduler_comm.comm.abort()  # as when its process is killed
        await until(lambda: other.id not in s.clients)
        assert key_of("y") not in s.tasks or s.tasks[key_of("y")].state == "released"
        EVENT.set()
        del futures
    assert plugin.state()["candidates"]["cancelled"] == 1
    assert known(plugin, ["x", "y"], client=c.id) == [key_of("x")]
    future = await computed(c, ["x", "y"])
    assert await future == 1
    assert not plugin.off
