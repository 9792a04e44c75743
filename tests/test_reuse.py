"""Values that other plans have computed: cutting at them, and keeping what others may use."""

from __future__ import annotations

import random
from types import MappingProxyType

import dask
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stratum_dask as sd
from stratum_dask.graph import Found, Graph, Task, TaskRef, call_of, emit, lower
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.packed import Packed
from stratum_dask.pipeline import run


def value_of(value):
    return value


class Memory:
    """Knows the values of some identities."""

    live = True
    sizes = MappingProxyType({})

    def __init__(self, values=()):
        self.values, self.asked = dict(values), []

    def find(self, tokens):
        self.asked.append(list(tokens))
        return {t: Found(value_of, (self.values[t],)) for t in tokens if t in self.values}

    def keep(self, func, token, after):
        return func

    def announce(self, graph):
        pass


def load(n):
    return pd.DataFrame({"x": np.arange(n, dtype=float), "y": np.arange(n) % 3})


def clean(df):
    df = df.copy()
    df["x"] = df["x"].fillna(0)
    return df


def scaled(df, by):
    return df.assign(x=df.x * by)


def edited(df):
    df.loc[:, "x"] = -1.0
    return float(df.x.sum())


def total(df):
    return float(df.x.sum())


def drawn():
    return random.random()


d = dask.delayed


def batch():
    frame = d(clean)(d(load)(10))
    return [d(total)(d(scaled)(frame, by)) for by in (1, 2, 3)]


def planned(graphs, *sources, **options):
    graph, leaves = lower(graphs)
    graph = run(graph, known=sources, check=True, **options)
    return graph, emit(graph, leaves)


def tokens_by_name(graphs):
    graph, _ = lower(graphs)
    graph = run(graph, disable=("fuse_frames", "pack_chains", "select_native"))
    found = {}
    for key, node in graph.tasks.items():
        call = call_of(node)
        name = getattr(call and call.func, "__name__", "")
        found.setdefault(name, []).append(graph.tokens[key])
    return found


def test_without_sources_nothing_changes():
    graph, _ = lower(batch())
    records = []
    run(graph, observe=lambda stage, name, a, b, s: records.append((stage, name, a is b)))
    assert [same for stage, _, same in records if stage == "reuse"] == [True] * 3


def test_all_is_asked_in_one_question():
    memory = Memory()
    planned(batch(), memory)
    assert len(memory.asked) == 1
    assert len(memory.asked[0]) == 8  # load, clean, and three times scaled and total


def test_what_is_known_is_not_computed_and_neither_is_what_it_needs():
    frame = clean(load(10)) + 0
    frame["x"] += 100  # tells whether it was used
    token = tokens_by_name(batch())["clean"][0]
    graph, after = planned(batch(), Memory({token: frame}))
    assert len(graph.reused) == 1
    names = {call.func.__name__ for node in graph.tasks.values() if (call := call_of(node))}
    assert not any("load" in name or "clean" in name for name in names)
    assert dask.compute(*after) == tuple(1045.0 * by for by in (1, 2, 3))


def test_the_cut_is_as_near_to_the_outputs_as_possible():
    tokens = tokens_by_name(batch())
    known = {tokens["clean"][0]: clean(load(10)), tokens["total"][1]: 7.0}
    graph, after = planned(batch(), Memory(known))
    assert set(graph.reused.values()) == {
        key for key, node in graph.tasks.items() if call_of(node).func is value_of
    }
    assert len(graph.reused) == 2
    assert dask.compute(*after) == (45.0, 7.0, 135.0)


def test_several_sources_are_asked_for_what_is_left():
    token = tokens_by_name(batch())["clean"][0]
    first, second = Memory({token: clean(load(10))}), Memory()
    planned(batch(), first, second)
    assert set(first.asked[0]) - set(second.asked[0]) == {token}


def test_what_depends_on_impure_tasks_is_not_asked_for():
    memory = Memory()
    chain = d(total)(d(scaled)(d(load)(10), d(drawn)()))
    planned([chain], memory)
    (asked,) = memory.asked
    assert len(asked) == 1  # load
    graph, _ = planned([chain], memory)
    assert not {graph.tokens[key] for key in graph.kept} - {*asked}


def test_what_is_kept_stays_a_task_of_its_own():
    graph, after = planned([d(total)(d(scaled)(d(clean)(d(load)(10)), 2))], Memory())
    steps = [
        len(call.func.steps)
        for node in graph.tasks.values()
        if (call := call_of(node)) and isinstance(call.func, Packed)
    ]
    assert steps == [] and len(graph.kept) == 4
    assert graph.kept <= graph.tasks.keys()
    assert dask.compute(*after) == (90.0,)
    # Their names are of this plan: nobody else gives them to other tasks.
    assert all(key.endswith(graph.plan) for key in graph.kept - graph.wanted)


def test_frame_operations_are_fused_as_before():
    def candidate(by):
        frame = d(load)(10)
        return ((frame["x"].fillna(0) + by) * 2).abs().sum()

    plain, _ = planned([candidate(1)])
    graph, _ = planned([candidate(1)], Memory())
    assert len(graph.tasks) <= len(plain.tasks) + 1  # load is kept


def test_what_is_inside_of_fused_tasks_is_not_kept():
    def candidate():
        frame = d(load)(10)
        filled = frame["x"].fillna(0)
        return d(total)(((filled - filled.mean()) / filled.std()).to_frame("x"))

    def fused(graph):
        calls = filter(None, map(call_of, graph.tasks.values()))
        return [len(call.func.steps) for call in calls if isinstance(call.func, FusedFrame)]

    plain, _ = planned([candidate()], disable=("pack_chains",))
    graph, _ = planned([candidate()], Memory(), disable=("pack_chains",))
    assert fused(graph) == fused(plain) == [6]


def test_a_hundred_candidates_keep_their_steps():
    def candidate(i):
        return d(total)(d(scaled)(d(scaled)(d(load)(10), i), 2))

    graph, _ = planned([candidate(i) for i in range(1, 101)], Memory())
    assert len(graph.kept) >= 301  # load, both steps and the result of each


def test_many_calls_of_unknown_cost_stay_packed():
    def candidate(i):
        return d(total)(d(scaled)(d(scaled)(d(load)(10), i), 2))

    plain, _ = planned([candidate(i) for i in range(400)])
    graph, _ = planned([candidate(i) for i in range(400)], Memory())
    assert len(graph.tasks) <= len(plain.tasks) + 10


def test_names_that_the_user_gave_are_replaced():
    def parts(by):
        return {
            "frame": Task("frame", load, 10),
            "scaled": Task("scaled", scaled, TaskRef("frame"), by),
            "total": Task("total", total, TaskRef("scaled")),
        }

    graph, (after,) = planned([parts(3)], Memory())
    assert not {"frame", "scaled"} & graph.tasks.keys()
    assert graph.wanted == {"total"} and "total" not in graph.kept
    assert call_of(graph.tasks["total"]).func.__name__ == "own"
    assert dask.get(after, "total") == 135.0


def test_what_is_kept_is_protected_from_edits():
    frame = d(clean)(d(load)(10))
    graph, after = planned([d(edited)(frame)], Memory())
    (kept,) = [key for key in graph.kept if key.startswith("clean")]
    dsk = dict(after[0].__dask_graph__())
    seen, result = dask.get(dsk, [kept, after[0].key])
    assert result == -10.0
    assert float(seen.x.sum()) == 45.0


def test_kept_frames_are_whole(tmp_path):
    path = tmp_path / "t.parquet"
    load(10).to_parquet(path)
    frame = d(pd.read_parquet)(str(path)).copy()
    wanted = d(scaled)(frame[["x"]], 2)
    graph, after = planned([wanted], Memory())
    dsk = dict(after[0].__dask_graph__())
    for key in graph.kept & dsk.keys():
        value = dask.get(dsk, key)
        token = graph.tokens[key]
        plain, _ = lower([wanted])
        plain = run(plain, disable=("fuse_frames", "pack_chains", "project_reads"))
        twins = [k for k, t in plain.tokens.items() if t == token and k in plain.tasks]
        if twins:
            pd.testing.assert_frame_equal(value, dask.get(dict(plain.tasks), twins[0]))


def test_reads_make_sure_of_what_they_read(tmp_path):
    path = tmp_path / "t.csv"
    load(10).to_csv(path, index=False)
    graphs = [d(total)(d(pd.read_csv)(str(path)))]
    assert dask.compute(*planned(graphs, Memory())[1]) == (45.0,)
    _, after = planned(graphs, Memory())
    load(20).to_csv(path, index=False)
    with pytest.raises(sd.errors.InputChangedError):
        dask.compute(*after)


@given(st.randoms(use_true_random=False), st.integers(0, 8))
def test_results_are_the_same_whatever_is_known(rng, many):
    expected = dask.compute(*batch(), scheduler="sync")
    graph, _ = lower(batch())
    graph = run(graph, disable=("fuse_frames", "pack_chains", "select_native"))
    keys = rng.sample(list(graph.tasks), min(many, len(graph.tasks)))
    values = dask.get(dict(graph.tasks), keys)
    memory = Memory({graph.tokens[k]: v for k, v in zip(keys, values, strict=True)})
    _, after = planned(batch(), memory)
    assert dask.compute(*after, scheduler="sync") == expected


def test_switched_off():
    memory = Memory()
    planned(batch(), memory, disable=("cut_at_known", "keep_values"))
    assert memory.asked == []


def test_a_graph_without_plan_keys_is_left_alone():
    graph = Graph({}, ())
    assert run(graph, known=(Memory(),)).tasks == {}
    with pytest.raises(sd.errors.ConfigError):
        run(graph, disable=("reuse",))
