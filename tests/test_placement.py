"""Simulated runs and placement through the bindings, and what is emitted of them."""

import pickle
from itertools import combinations
from xml.etree.ElementTree import fromstring

import dask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, Ridge

import stratum_dask as sd
from stratum_dask._native import Cluster, Dag
from stratum_dask.gantt import picture
from stratum_dask.graph import Workers, lower
from stratum_dask.pipeline import run
from stratum_dask.runtime.costs import Cost

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


# -- the pass, and what is expected of a batch ---------------------------------------------------


def big(n, _step):
    return list(range(n))


def total(values, by):
    return sum(values) * by


def candidates():
    for group in range(4):
        table = dask.delayed(big)(50_000, group)
        yield from (dask.delayed(total)(table, by) for by in range(8))


def costs(monkeypatch, of):
    """Let tasks cost what a function of their keys says."""
    monkeypatch.setattr(
        "stratum_dask.forecast.estimate_works",
        lambda works, *_: {work.key: of(str(work.key)) for work in works},
    )


@pytest.fixture
def measured(monkeypatch):
    """Make costs known: big values, and users that take a second each."""

    total, other = Cost(1.0, 100, True), Cost(0.5, 50_000_000, True)
    costs(monkeypatch, lambda key: total if "total" in key else other)


def planned(workers, batch=None):
    graph, _ = lower(list(candidates()) if batch is None else batch, None)
    return run(graph.with_(workers=lambda: workers), disable=["pack_chains"])


def test_users_are_placed_where_their_big_value_is(measured):
    graph = planned(Workers.alike(2))
    placement = graph.placement
    assert placement.workers.keys() == graph.tasks.keys()
    assert set(placement.workers.values()) == {"worker 0", "worker 1"}
    for key, node in graph.tasks.items():
        for dependency in node.dependencies:
            assert placement.workers[key] == placement.workers[dependency]
    position = {key: i for i, key in enumerate(placement.workers)}
    for key, node in graph.tasks.items():
        assert all(position[one] < position[key] for one in node.dependencies)


def test_nothing_is_placed_without_need(measured, monkeypatch):
    assert planned(None).placement is None
    assert planned(Workers.alike(1)).placement is None
    assert planned(Workers.alike(2, bandwidth=1e12)).placement is None
    with dask.annotate(workers=["here"]):
        assert planned(Workers.alike(2), list(candidates())).placement is None


def test_nothing_is_placed_by_guesses():
    with dask.config.set({"stratum.costs.path": False}):
        assert planned(Workers.alike(2)).placement is None


def test_explain_shows_the_schedule(measured):
    batch = list(candidates())
    assert sd.explain(batch).forecast is None
    explained = sd.explain(batch, workers=2)
    forecast, text, html = explained.forecast, str(explained), explained._repr_html_()
    assert forecast.schedule.makespan >= forecast.floor > 0
    assert forecast.schedule.moved * 2 <= forecast.stock.moved
    for word in ("expected schedule", "floor", "big -> total", "idle", "memory", "moved"):
        assert word in text
    root = fromstring(html[html.index("<svg") : html.index("</svg>") + 6])
    titles = [one.text for one in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == sum(seconds > 0 for seconds in forecast.seconds)
    with pytest.raises(sd.errors.ConfigError, match="at least one"):
        sd.explain(batch, workers=0)


def test_pictures_stay_small_and_escape_names():
    n = 30_000
    dag = dag_of([[] for _ in range(n)])
    where, ids = Workers.alike(100), list(range(n))
    ran = cluster(100).simulate(dag, [0.01] * n, [0.0] * n, bytes(n), ids, [0] * n, [NONE] * n)
    svg = picture(["<b>&"] * n, [0.01] * n, ran, where, {0})
    assert len(svg) < 2_000_000
    assert "<b>" not in svg
    assert fromstring(svg) is not None


def test_on_one_worker_the_longest_chain_is_first(monkeypatch):
    chain = dask.delayed(big)(1, 0)
    for step in range(5):
        chain = dask.delayed(total)([chain], step)
    batch = [*(dask.delayed(total)([n], n) for n in range(7)), chain]
    costs(monkeypatch, lambda _: Cost(1.0, 0, True))
    where = Workers(("one",), (2,), ("here",), (float("inf"),), 1e8)
    graph = planned(where, batch)
    assert set(graph.placement.workers.values()) == {""}
    keys = list(graph.placement.workers)
    assert keys.index(next(key for key in keys if "big" in key)) < 2
    forecast = sd.explain(batch).scheduled().forecast
    assert forecast.schedule.makespan <= forecast.stock.makespan
    costs(monkeypatch, lambda key: Cost(1.0 if "total" in key else 0.01, 0, True))
    many = [dask.delayed(total)([n], n) for n in range(100)]
    assert planned(where, many).placement is None  # no chain is long


def test_results_tell_what_was_expected():
    results = sd.evaluate(
        {"a": Ridge(), "b": Lasso()}, [[1.0], [2.0], [4.0]] * 9, [1, 2, 3] * 9, cv=3
    )
    assert results.explain().forecast is None
    forecast = results.explain(schedule=True).forecast
    assert forecast.schedule.makespan >= forecast.floor > 0
    assert "expected schedule" in str(results.explain(workers=2))
    assert len(results.explain(workers=2).forecast.workers.names) == 2
    again = pickle.loads(pickle.dumps(results)).explain(schedule=True).forecast
    assert again.schedule.makespan == pytest.approx(forecast.schedule.makespan)
    with pytest.raises(sd.errors.ConfigError, match="at least one"):
        results.explain(workers=0)
