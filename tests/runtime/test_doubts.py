"""Which tasks are run again when workers have died, and in which company."""

from __future__ import annotations

from dask._task_spec import Task

from stratum_dask.runtime.doubts import Doubts

DIED = RuntimeError("its worker died")


def batch(tasks=20):
    """Return a graph of one shared task and of fits that depend on it."""
    dsk = {"shared": Task("shared", list)}
    for i in range(tasks):
        dsk[f"fit-{i}"] = Task(f"fit-{i}", len, dsk["shared"].ref())
    return dsk


def run(doubts, killers):
    """Run what is asked for until nothing is, and return all that was asked."""
    asked = []
    while keys := doubts.asks():
        asked.append(keys)
        died = not killers.isdisjoint(keys)
        for key in keys:
            if died:  # with the worker of the killer
                doubts.blame(key, DIED)
            else:
                doubts.clear(key)
    return asked


def test_only_the_killer_is_guilty():
    dsk = batch()
    doubts = Doubts(dsk, dict, 1)
    for key in dsk:
        doubts.blame(key, DIED)
    asked = run(doubts, {"fit-3"})
    assert asked[0] == ["shared"]  # all others depend on it
    assert max(len(keys) for keys in asked) == 8
    assert [doubts.verdict(key) for key in dsk].count(None) == 20
    assert doubts.verdict("fit-3") is DIED


def test_what_depends_on_a_guilty_task_is_not_run():
    dsk = batch()
    doubts = Doubts(dsk, dict, 1)
    doubts.blame("shared", DIED)
    assert run(doubts, {"shared"}) == [["shared"], ["shared"]]
    assert all(doubts.verdict(key) is DIED for key in dsk)


def test_other_folds_of_a_guilty_candidate_are_not_tried():
    dsk = batch(6)
    owners = {f"fit-{i}": f"candidate {i // 3}" for i in range(6)}
    doubts = Doubts(dsk, lambda: owners, 1)
    for key in owners:
        doubts.blame(key, DIED)
    asked = run(doubts, {"fit-0", "fit-1", "fit-2"})
    assert ["fit-1"] not in asked
    assert [key for key in dsk if doubts.verdict(key)] == ["fit-0", "fit-1", "fit-2"]


def test_owners_are_asked_for_only_in_doubt():
    doubts = Doubts(batch(), lambda: 1 / 0, 1)
    assert doubts.asks() == []
    assert doubts.verdict("fit-0") is None


def test_patience_with_tasks_that_leave_records():
    doubts = Doubts(batch(), dict, 3)
    for _ in range(2):
        doubts.blame("fit-0", DIED)
        assert doubts.asks() == []  # it runs again with all others
    doubts.blame("fit-0", DIED)
    assert doubts.asks() == ["fit-0"]
