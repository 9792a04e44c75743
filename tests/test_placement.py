"""Simulated runs and placement through the bindings, and what is emitted of them."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask._native import Cluster, Dag

NONE = Cluster.NONE


def dag_of(deps):
    return Dag({i: i for i in range(len(deps))}, deps)


def cluster(workers, threads=1, bandwidth=1e8, memory=float("inf")):
    return Cluster([threads] * workers, range(workers), [memory] * workers, bandwidth, 0.0)


@st.composite
def cases(draw):
    """Graphs in topological order with seconds and bytes of their tasks."""
    n = draw(st.integers(1, 12))
    deps = [sorted(draw(st.sets(st.integers(0, i - 1), max_size=3))) if i else [] for i in range(n)]
    amounts = st.lists(st.integers(0, 8).map(lambda x: x / 4), min_size=n, max_size=n)
    return deps, draw(amounts), draw(amounts)


def everything(case, workers):
    deps, seconds, sizes = case
    ids = range(len(deps))
    used = {dep for row in deps for dep in row}
    return dag_of(deps), seconds, sizes, bytes(i not in used for i in ids), ids, ids


@given(cases(), st.integers(1, 3), st.integers(1, 2))
def test_what_is_predicted_is_what_the_placement_gives(case, workers, threads):
    where = cluster(workers, threads, bandwidth=4.0)
    arguments = everything(case, workers)
    worker, rank, ours, stock = where.place(*arguments)
    dag, seconds, sizes, output, _, group = arguments
    again = where.simulate(dag, seconds, sizes, output, rank, group, worker)
    assert (again.makespan, again.moved, again.worker) == (ours.makespan, ours.moved, ours.worker)
    assert ours.makespan <= stock.makespan * 1.01 + 1e-9
    assert ours.makespan + 1e-9 >= where.floor(dag, seconds)
    assert set(worker) <= {*range(workers), NONE}


@given(cases(), st.integers(1, 3))
def test_schedules_keep_to_dependencies_and_threads(case, workers):
    deps, seconds, sizes = case
    ran = cluster(workers, bandwidth=4.0).simulate(*everything(case, workers), [NONE] * len(deps))
    end = [start + s for start, s in zip(ran.start, seconds, strict=True)]
    for user, row in enumerate(deps):
        for dep in row:
            wire = 0.0 if ran.worker[dep] == ran.worker[user] else sizes[dep] / 4.0
            assert ran.start[user] + 1e-9 >= end[dep] + wire
    for a, b in combinations(range(len(deps)), 2):
        if ran.worker[a] == ran.worker[b]:
            assert ran.start[a] + 1e-9 >= end[b] or ran.start[b] + 1e-9 >= end[a]
    assert ran.makespan == pytest.approx(max(end))
    assert sum(ran.busy) == pytest.approx(sum(seconds))


def test_the_critical_path_of_a_diamond():
    assert dag_of([[], [0], [0], [1, 2]]).critical_path([1.0, 1.0, 2.0, 1.0]) == [0, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], [], 1.0, 0.0), "needs a worker"),
        (([0], [0], [1.0], 1.0, 0.0), "a thread"),
        (([1], [0, 0], [1.0], 1.0, 0.0), "one entry per worker"),
        (([1], [1], [1.0], 1.0, 0.0), "counted from 0"),
        (([1], [0], [float("nan")], 1.0, 0.0), "must be positive"),
        (([1], [0], [1.0], 0.0, 0.0), "must be positive"),
        (([1], [0], [1.0], 1.0, -1.0), "must not be negative"),
    ],
)
def test_impossible_clusters_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Cluster(*arguments)


def test_arguments_that_do_not_fit_are_refused():
    dag, where = dag_of([[], [0]]), cluster(2)
    good = {
        "seconds": [1.0, 1.0],
        "bytes": [1.0, 1.0],
        "output": bytes(2),
        "rank": [0, 1],
        "group": [0, 1],
        "worker": [0, 1],
    }
    assert where.simulate(dag, **good).makespan > 2.0
    for name, wrong in [
        ("seconds", [1.0]),
        ("seconds", [1.0, -1.0]),
        ("bytes", [1.0, float("inf")]),
        ("output", bytes(1)),
        ("rank", [0]),
        ("group", [0, 2]),
        ("worker", [0, 2]),
    ]:
        with pytest.raises(ValueError, match=r"entries|amount|groups|cluster"):
            where.simulate(dag, **{**good, name: wrong})
