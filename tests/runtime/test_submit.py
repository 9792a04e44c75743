"""What becomes of futures that are done, or whose values are gone."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import distributed
import pytest
from distributed import Client, KilledWorker
from distributed.client import FutureCancelledError
from distributed.scheduler import WorkerState

from stratum_dask.graph import Task, TaskRef
from stratum_dask.ops.outcomes import Outcome
from stratum_dask.runtime.cluster import _Batch, compute_on
from stratum_dask.runtime.doubts import Doubts


@pytest.fixture
def one_worker():
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=":0"
    ) as client:
        yield client


class Done:
    """A future that is done, and whose result is a value or an exception."""

    def __init__(self, key, status, value):
        self.key, self.status, self.value = key, status, value

    def exception(self):
        return self.value

    def traceback(self):
        return None


def gather(futures, errors):
    """Return None for what is no value, as a client does."""
    assert errors == "skip"
    for one in futures.values():
        if one.status == "unreadable":
            raise one.value
    return {
        key: None if isinstance(one.value, Exception) else one.value for key, one in futures.items()
    }


def submitted(monkeypatch, *finished, wanted="ab"):
    """Submit a batch whose futures come as (key, status, result) from ``as_completed``."""
    futures = [Done(*each) for each in finished]
    completed = SimpleNamespace(batches=lambda: iter([futures]))
    monkeypatch.setattr(distributed, "as_completed", lambda *_, **__: completed)
    client = SimpleNamespace(
        loop=None,
        scheduler=SimpleNamespace(address=""),
        scheduler_comm=None,
        gather=gather,
        get=lambda *_, **__: futures,
    )
    told = []
    batch = _Batch(
        client, {}, list(wanted), lambda key, outcome: told.append(key), "", Doubts({}, dict, 1)
    )
    batch.ended, batch.blamed = batch._submit([one.key for one in futures])
    assert told == list(batch.found)
    return batch


def test_outcomes_and_errors_are_found(monkeypatch):
    one = Outcome(1, None, {})
    batch = submitted(monkeypatch, ("a", "finished", one), ("b", "error", ValueError("bad")))
    found = batch.found
    assert found["a"] is one
    assert str(found["b"].failure) == "ValueError: bad"


@pytest.mark.parametrize("status", ["cancelled", "finished", "pending", "error"])
def test_what_was_lost_is_left_out_whatever_became_of_it_since(monkeypatch, status):
    lost = FutureCancelledError("a", "lost")
    batch = submitted(monkeypatch, ("a", status, lost))
    assert batch.found == {}
    assert (batch.ended, batch.blamed) == (0, False)


def test_what_a_killed_worker_was_given_is_run_again(monkeypatch):
    error = KilledWorker("fit", WorkerState, 3)
    batch = submitted(monkeypatch, ("a", "error", error), ("b", "error", error))
    assert batch.found == {}
    assert (batch.ended, batch.blamed) == (2, True)
    assert batch._doubts.asks() == ["fit"]


def test_what_was_in_doubt_is_held_for_those_who_need_it(monkeypatch):
    batch = submitted(monkeypatch, ("fit", "finished", None))
    assert batch.found == {}
    assert list(batch._held) == ["fit"]


def test_a_value_that_cannot_be_read_fails_alone(monkeypatch):
    one, error = Outcome(1, None, {}), ModuleNotFoundError("its module")
    batch = submitted(monkeypatch, ("a", "finished", one), ("b", "unreadable", error))
    assert batch.found["a"] is one
    assert str(batch.found["b"].failure) == "ModuleNotFoundError: its module"


def test_all_is_lost_with_the_scheduler(monkeypatch):
    batch = submitted(monkeypatch, ("a", "unreadable", OSError("gone")))
    assert batch.found == {}


_told = [threading.Event() for _ in range(3)]


def after(*_, number):
    """Return when the one before has arrived."""
    assert not number or _told[number - 1].wait(30)
    return Outcome(number, None, {})


def test_what_has_arrived_is_not_held(one_worker):
    """Else it would be computed again when the worker dies that has it."""

    held = []

    def done(key, outcome):
        _told[outcome.value].set()
        if key == "c":
            deadline = time.monotonic() + 10
            while "a" in one_worker.futures and time.monotonic() < deadline:
                time.sleep(0.01)
            held.extend(one_worker.futures)

    tasks = {
        key: Task(key, after, *map(TaskRef, needs), number=number)
        for number, (key, needs) in enumerate({"a": "", "b": "a", "c": "b"}.items())
    }
    found = compute_on(one_worker, tasks, list("abc"), done, "", dict)
    assert [one.value for one in found] == [0, 1, 2]
    assert "a" not in held
