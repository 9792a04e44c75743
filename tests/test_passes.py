"""What every pass keeps: results, inputs, and the graph itself where there is nothing to do."""

from __future__ import annotations

import gc
import operator
import weakref

import dask
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from sklearn.linear_model import Ridge

import stratum_dask as sd
from stratum_dask.errors import ConfigError, PassError
from stratum_dask.graph import Graph, Output, Task, TaskRef, key_split, lower
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.packed import Packed
from stratum_dask.ops.reading import ColumnRead
from stratum_dask.pipeline import PIPELINE, pass_names, run, verify


def inc(x):
    return x + 1


def add(x, y):
    return x + y


def draw(graph: Graph) -> list[str]:
    """Render a graph in topological order, one line per task, keys without their tokens."""
    numbers: dict = {}
    names = {}
    for key in graph.topology.order:
        prefix = key_split(key)
        numbers[prefix] = numbers.get(prefix, 0) + 1
        names[key] = f"{prefix}{numbers[prefix]}" if prefix != str(key) else str(key)
    return [
        f"{names[key]} <- {', '.join(sorted(names[d] for d in graph.tasks[key].dependencies))}"
        for key in graph.topology.order
    ]


def optimized(dsk, *, only=None, wanted=None):
    graph, _ = lower(dsk, wanted)
    disable = set(pass_names()) - {"identify", "protect_shared"} - set(only or pass_names())
    return run(graph, disable=disable, check=True)


def test_names_and_order_of_the_passes():
    assert [(stage.name, [p.__name__ for p in stage.passes]) for stage in PIPELINE] == snapshot(
        [
            ("share", ["cull", "identify", "merge_identical", "share_families"]),
            ("reuse", ["cut_at_known", "keep_whole", "keep_values"]),
            ("rewrite", ["project_reads", "protect_shared"]),
            ("fuse", ["fuse_frames", "select_native", "store_values", "pack_chains"]),
            ("place", ["order_for_memory", "place_on_workers"]),
        ]
    )


def test_merge_identical():
    dsk = {
        "a1": (inc, 1),
        "a2": (inc, "a1"),
        "a": (add, "a2", 1),
        "b1": (inc, 1),
        "b2": (inc, "b1"),
        "b": (add, "b2", 2),
    }
    assert draw(optimized(dsk, only=["merge_identical"])) == snapshot(
        ["a11 <- ", "a21 <- a11", "a <- a21", "b <- a21"]
    )


def test_merge_keeps_both_of_two_equal_outputs():
    graph = optimized({"a": (inc, 1), "b": (inc, 1)}, only=["merge_identical"])
    assert draw(graph) == snapshot(["a1 <- ", "a <- a1", "b <- a1"])
    assert dask.get(dict(graph.tasks), ["a", "b"]) == (2, 2)


def test_cull():
    dsk = {"x": 1, "a": (inc, "x"), "b": (inc, "a"), "c": (inc, "b")}
    assert draw(optimized(dsk, only=["cull"], wanted=["a"])) == snapshot(["x <- ", "a <- x"])


def test_pack_chains():
    dsk = {"s": (inc, 1), "a": (inc, "s"), "b": (inc, "a"), "c": (inc, "b"), "d": (add, "s", 1)}
    graph = optimized(dsk, only=["pack_chains"])
    assert draw(graph) == snapshot(["s <- ", "chain1 <- s", "c <- chain1", "d <- s"])
    assert dask.get(dict(graph.tasks), ["c", "d"]) == (5, 3)


def test_what_only_a_chain_itself_uses_is_packed_with_it():
    dsk = {"fit": (inc, 1), "predict": (inc, "fit"), "score": (add, "fit", "predict")}
    graph = optimized(dsk, only=["pack_chains"], wanted=["score"])
    assert draw(graph) == snapshot(["chain1 <- ", "score <- chain1"])
    assert dask.get(dict(graph.tasks), "score") == 5


def test_frames_beside_which_nothing_runs_use_all_cores():
    frame = pd.DataFrame({"a": [1.0, 2.0]})

    def features(source, n):
        return source.assign(b=source["a"] * n)

    load = dask.delayed(frame.copy, pure=True)()
    clean = features(load, 2)
    one, two = (dask.delayed(len)(features(clean, n)) for n in (3, 4))
    graph, _ = lower(dask.delayed(add)(one, two))
    threads = {func.threads for func, _ in run(graph).calls if isinstance(func, FusedFrame)} | {
        step.func.threads
        for func, _ in run(graph).calls
        if isinstance(func, Packed)
        for step in func.steps
        if isinstance(step.func, FusedFrame)
    }
    assert threads == {None, 1}


def test_a_failing_step_of_a_chain_names_the_users_task():
    before = dask.delayed(inc)(dask.delayed(operator.truediv)(dask.delayed(inc)(0), 0))
    (after,) = sd.optimize([before])
    with pytest.raises(ZeroDivisionError) as caught:
        after.compute()
    assert any("truediv-" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_project_reads(tmp_path, kind):
    path = str(tmp_path / "data")
    getattr(pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0], "c": list("xy")}), f"to_{kind}")(path)
    reader = getattr(pd, f"read_{kind}")

    def batch(*columns):
        return [dask.delayed(reader)(path)[column].sum() for column in columns]

    after = optimized(batch("a", "b"), only=["merge_identical", "project_reads"])
    functions = [getattr(getattr(n, "func", None), "func", None) for n in after.tasks.values()]
    (reading,) = [f for f in functions if isinstance(f, ColumnRead)]
    assert reading.columns == ("a", "b")
    assert dask.compute(*sd.optimize(batch("a", "b"))) == dask.compute(*batch("a", "b"))
    # Left alone: all columns are used, or the user wants the frame itself.
    frame = dask.delayed(reader)(path)
    for whole in ([frame.describe()], [frame, frame["a"].sum()]):
        graph = optimized(whole, only=["merge_identical", "project_reads"])
        assert "read-columns" not in " ".join(map(str, graph.tasks))
    # A column that does not exist fails on the user's own line.
    with pytest.raises(KeyError, match="nope"):
        dask.compute(*sd.optimize(batch("nope")))


def test_impure_tasks_stay_apart_and_say_why():
    @sd.impure
    def draw_lots():
        return 1

    before = [dask.delayed(draw_lots)() for _ in range(3)]
    explanation = sd.explain(before)
    assert explanation.merged == {}
    assert len(explanation.why_not) == 3
    assert "draw_lots" in str(explanation)


def test_unknown_pass_name():
    with pytest.raises(ConfigError, match="choose from"):
        sd.optimize([dask.delayed(inc)(1)], disable=["nope"])
    with pytest.raises(ConfigError, match="numerics"):
        sd.optimize([dask.delayed(inc)(1)], numerics="loose")


def test_a_failing_pass_is_named(monkeypatch):
    def bad(graph):
        raise ZeroDivisionError("boom")

    stage = PIPELINE[0]._replace(passes=(bad,))
    monkeypatch.setattr("stratum_dask.pipeline.PIPELINE", (stage,))
    with pytest.raises(PassError, match=r"'bad' of stage 'share' failed.*boom"):
        sd.optimize([dask.delayed(inc)(1)])


@pytest.mark.parametrize(
    "tasks",
    [
        {"b": Task("b", inc, 1)},
        {"a": Task("b", inc, 1)},
        {"a": Task("a", inc, TaskRef("gone"))},
        {"a": Task("a", inc, TaskRef("b")), "b": Task("b", inc, TaskRef("a"))},
    ],
    ids=["lost output", "wrong key", "dangling", "circle"],
)
def test_verify_refuses(tasks):
    with pytest.raises(PassError, match="'p'"):
        verify(Graph(tasks, (Output(("a",), 0),)), "p")


@st.composite
def legacy_graphs(draw):
    """Arithmetic graphs with many equal tasks."""
    dsk = {"k0": draw(st.integers(0, 2))}
    for i in range(1, draw(st.integers(1, 14))):
        earlier = st.sampled_from(sorted(dsk))
        dsk[f"k{i}"] = draw(
            st.one_of(
                st.integers(0, 2),
                st.tuples(st.just(inc), earlier),
                st.tuples(st.just(add), earlier, st.one_of(earlier, st.integers(0, 2))),
                st.tuples(st.just(sum), st.lists(earlier, max_size=3)),
            )
        )
    wanted = draw(st.lists(st.sampled_from(sorted(dsk)), min_size=1, max_size=4, unique=True))
    return dsk, wanted


ALL = [name for name in pass_names() if name not in ("identify", "protect_shared")]


@pytest.mark.parametrize("only", [[name] for name in ALL] + [ALL], ids=[*ALL, "all"])
@given(case=legacy_graphs())
def test_passes_keep_results(only, case):
    dsk, wanted = case
    original = dict(dsk)
    graph = optimized(dsk, only=only, wanted=wanted)
    assert dask.get(dict(graph.tasks), wanted) == dask.get(dsk, wanted)
    assert dsk == original
    again = run(graph, disable=set(ALL) - set(only), check=True)
    if "pack_chains" in only:  # what a chain changes is not known: now it is protected
        assert dask.get(dict(again.tasks), wanted) == dask.get(dsk, wanted)
    else:
        assert again.tasks is graph.tasks


def test_explanation_in_all_forms():
    before = [dask.delayed(add)(dask.delayed(inc)(1), i) for i in range(4)]
    explanation = sd.explain(before)
    assert (explanation.candidates, explanation.tasks_before) == (4, 8)
    assert explanation.unique_tasks == 5
    assert list(explanation.merged.values()) == [4]
    assert list(explanation.to_frame().columns) == ["stage", "pass", "before", "after", "seconds"]
    assert "4 tasks into 1" in str(explanation)
    assert "<table>" in explanation._repr_html_()


def test_a_plan_leaves_nothing_behind():
    def plan():
        data, model = np.arange(10_000), Ridge()
        batch = [dask.delayed(tuple)(dask.delayed(list)([data, model, n])) for n in (1, 1, 2)]
        sd.optimize(batch)
        return weakref.ref(data), weakref.ref(model)

    gc.disable()  # not even for the collector
    try:
        assert [ref() for ref in plan()] == [None, None]
    finally:
        gc.enable()
