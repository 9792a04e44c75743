"""Graph decisions through the bindings: conversions, errors, and answers against plain Python."""

import heapq
from array import array
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask._native import CycleFound, Dag

DIAMOND = [[], [0], [0], [1, 2]]


class Case(NamedTuple):
    """A graph with everything that the rules ask about its nodes."""

    deps: list[list[int]]
    flag: list[bool]
    output: list[bool]
    color: list[int]
    size: list[float]
    token: list[int]


def dag_of(deps):
    return Dag({node: node for node in range(len(deps))}, deps)


@st.composite
def cases(draw):
    """Graphs of up to 12 nodes, which come in any order."""
    n = draw(st.integers(0, 12))
    ids = draw(st.permutations(range(n)))
    deps = [[] for _ in range(n)]
    for i in range(1, n):
        earlier = st.lists(st.integers(max(0, i - 4), i - 1), max_size=3)
        deps[ids[i]] = [ids[j] for j in draw(earlier)]

    def per_node(values):
        return draw(st.lists(values, min_size=n, max_size=n))

    return Case(
        deps,
        flag=per_node(st.sampled_from([True, True, True, False])),
        output=per_node(st.sampled_from([False, False, False, True])),
        color=per_node(st.sampled_from([0, 0, 0, 7])),
        size=per_node(st.integers(0, 5).map(float)),
        token=per_node(st.integers(0, 4)),
    )


def users_of(deps):
    return [[user for user, row in enumerate(deps) if node in row] for node in range(len(deps))]


def closure(deps, nodes):
    reached, stack = set(), list(nodes)
    while stack:
        node = stack.pop()
        if node not in reached:
            reached.add(node)
            stack += deps[node]
    return reached


def smallest_order(deps):
    order, heap = [], [node for node, row in enumerate(deps) if not row]
    users, left = users_of(deps), [len(set(row)) for row in deps]
    while heap:
        order.append(heapq.heappop(heap))
        for user in users[order[-1]]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(heap, user)
    return order


def groups_by_definition(case):
    users = users_of(case.deps)

    def sink(node):
        if not case.flag[node]:
            return None
        sinks = {sink(user) for user in users[node]}
        if case.output[node] or len(sinks) != 1:
            return node
        (only,) = sinks
        return only if only is not None and case.color[only] == case.color[node] else node

    groups = {}
    for node in smallest_order(case.deps):
        groups.setdefault(sink(node), []).append(node)
    groups.pop(None, None)
    return {tuple(group) for group in groups.values() if len(group) > 1}


def chains_by_definition(case):
    users = users_of(case.deps)
    inside = set()
    for last in reversed(smallest_order(case.deps)):
        if last in inside or not case.flag[last]:
            continue
        chain = [last]
        while True:
            candidates = [
                node
                for node in set(case.deps[chain[0]])
                if set(users[node]) <= set(chain)
                and not case.output[node]
                and case.flag[node]
                and case.color[node] == case.color[last]
            ]
            if len(candidates) != 1:
                break
            chain = candidates + chain
        inside.update(chain)
        if len(chain) > 1:
            yield chain


def peak_by_definition(case, order):
    users = users_of(case.deps)
    alive, peak = set(), 0.0
    for step, node in enumerate(order):
        alive.add(node)
        peak = max(peak, sum(case.size[value] for value in alive))
        ran = set(order[: step + 1])
        alive = {value for value in alive if case.output[value] or not ran.issuperset(users[value])}
    return peak


@given(cases())
def test_the_order_is_the_smallest_topological_one(case):
    assert dag_of(case.deps).topological_order() == smallest_order(case.deps)


@given(cases())
def test_cull_keeps_what_the_wanted_need(case):
    wanted = [node for node, is_output in enumerate(case.output) if is_output]
    needed = closure(case.deps, wanted)
    assert list(dag_of(case.deps).cull(wanted)) == [
        node in needed for node in range(len(case.deps))
    ]


@given(cases())
def test_merge_takes_the_first_of_equal_tokens(case):
    first = {}
    for node in smallest_order(case.deps):
        first.setdefault(case.token[node], node)
    for shift in 0, 120:  # all bits of a token count, not only the low ones
        tokens = b"".join((token << shift).to_bytes(16, "little") for token in case.token)
        assert dag_of(case.deps).merge(tokens) == [first[token] for token in case.token]


@given(cases())
def test_fusion_groups_are_those_of_the_definition(case):
    groups = dag_of(case.deps).fusion_groups(bytes(case.flag), case.color, bytes(case.output))
    assert len(groups) == len(set(map(tuple, groups)))
    assert set(map(tuple, groups)) == groups_by_definition(case)


@given(cases())
def test_chains_are_those_of_the_definition(case):
    chains = dag_of(case.deps).chains(bytes(case.flag), case.color, bytes(case.output))
    assert sorted(chains) == sorted(chains_by_definition(case))


@given(cases())
def test_the_memory_order_runs_all_and_never_needs_more_than_the_plain_one(case):
    dag = dag_of(case.deps)
    order, peak = dag.memory_order(bytes(case.output), case.size)
    position = {node: i for i, node in enumerate(order)}
    assert sorted(order) == list(range(len(case.deps)))
    assert all(position[d] < position[node] for node, row in enumerate(case.deps) for d in row)
    assert peak == peak_by_definition(case, order) == dag.peak(order, bytes(case.output), case.size)
    assert peak <= peak_by_definition(case, smallest_order(case.deps))


@given(cases())
def test_sections_of_a_group_hold_exactly_what_it_needs(case):
    group = [t if out else Dag.NONE for t, out in zip(case.token, case.output, strict=True)]
    section_of, dependencies = dag_of(case.deps).sections(group, case.color)
    assert set(section_of) == set(range(len(dependencies)))
    for wanted in range(5):
        outputs = [node for node, name in enumerate(group) if name == wanted]
        sections = closure(dependencies, {section_of[node] for node in outputs})
        emitted = {node for node, section in enumerate(section_of) if section in sections}
        assert emitted == closure(case.deps, outputs)
    labels = {section: set() for section in section_of}
    for node, section in enumerate(section_of):
        labels[section].add(case.color[node])
    assert all(len(colors) == 1 for colors in labels.values())


@given(cases())
def test_reaches_agrees_with_the_closure(case):
    dag = dag_of(case.deps)
    everything = list(range(len(case.deps)))
    for start in everything:
        behind = [n for n in everything if n != start and start in closure(case.deps, [n])]
        assert dag.reaches(start, everything) == behind


@given(cases())
def test_everything_comes_before_or_after_a_bottleneck(case):
    free = [flag and not deps for flag, deps in zip(case.flag, case.deps, strict=True)]
    counting = [node for node in range(len(case.deps)) if not free[node]]
    behind = {node: closure(case.deps, [node]) for node in counting}
    alone = [a for a in counting if all(a in behind[b] or b in behind[a] for b in counting)]
    assert dag_of(case.deps).bottlenecks(bytes(free)) == alone


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        lambda ids: array("I", ids),
        lambda ids: np.array(ids, dtype=np.uint32),
        lambda ids: np.array(ids, dtype=np.int64),
        lambda ids: np.repeat(np.array(ids, dtype=np.uint32), 2)[::2],
    ],
    ids=["list", "tuple", "array", "uint32", "int64", "strided"],
)
def test_all_kinds_of_sequences_are_taken(convert):
    dag = dag_of(DIAMOND)
    assert list(dag.cull(convert([1]))) == [1, 1, 0, 0]
    assert dag.reaches(2, convert([0, 1, 3])) == [3]
    yes, no = bytearray(b"\x01" * 4), bytearray(4)
    assert dag.fusion_groups(yes, convert([9, 9, 9, 9]), no) == [[0, 1, 2, 3]]


@pytest.mark.parametrize("convert", [list, tuple, lambda s: array("d", s), np.float64, np.float32])
def test_all_kinds_of_sizes_are_taken(convert):
    assert dag_of(DIAMOND).peak([0, 2, 1, 3], bytes(4), convert([1.0, 2.0, 4.0, 0.5])) == 7.0


def test_integers_serve_as_sizes():
    assert dag_of(DIAMOND).memory_order(bytes(4), [1, 2, 4, 8]) == ([0, 1, 2, 3], 14.0)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, iter, dict.fromkeys])
def test_dependencies_are_any_iterables_of_keys(kind):
    ids = {"a": 0, ("b", 1): 1, 2.5: 2}
    dag = Dag(ids, iter([kind(["outside"]), kind(["a"]), kind(["a", ("b", 1), "elsewhere"])]))
    assert dag.dependents() == [[1, 2], [2], []]
    assert dag.open() == [0, 2]


def test_ids_need_not_ascend():
    assert Dag({"a": 1, "b": 0}, [["a"], []]).topological_order() == [1, 0]


def test_an_empty_graph_has_no_decisions():
    dag = Dag({}, [])
    assert len(dag) == 0
    assert dag.cull([]) == b""
    assert dag.merge(b"") == dag.topological_order() == []
    assert dag.fusion_groups(b"", [], b"") == dag.chains(b"", [], b"") == []
    assert dag.memory_order(b"", []) == ([], 0.0)
    assert dag.sections([], []) == ([], [])


@given(cases(), st.data())
def test_a_cycle_is_named(case, data):
    if not case.deps:
        return
    start = data.draw(st.integers(0, len(case.deps) - 1))
    behind = [node for node in range(len(case.deps)) if start in closure(case.deps, [node])]
    case.deps[start].append(data.draw(st.sampled_from(behind)))
    with pytest.raises(CycleFound) as caught:
        dag_of(case.deps)
    (cycle,) = caught.value.args
    assert start in cycle
    assert all(after in case.deps[node] for node, after in pairwise([*cycle, cycle[0]]))


def test_a_cycle_is_a_value_error():
    with pytest.raises(ValueError):
        dag_of([[1], [0]])


@pytest.mark.parametrize(
    ("ids", "dependencies", "message"),
    [
        ({}, [[]], "`dependencies` has 1 rows for 0 ids"),
        ({"a": 0, "b": 1}, [[]], "`dependencies` has 1 rows for 2 ids"),
        ({"a": 0, "b": 2}, [[], ["b"]], "node 1 depends on node 2, which does not exist"),
    ],
)
def test_rows_that_do_not_fit_the_ids_are_refused(ids, dependencies, message):
    with pytest.raises(ValueError, match=message):
        Dag(ids, dependencies)


def test_ids_that_are_no_ids_are_refused():
    with pytest.raises(OverflowError):
        Dag({"a": -1}, ["a"])
    with pytest.raises(TypeError):
        Dag({"a": "b"}, ["a"])
    with pytest.raises(TypeError, match="unhashable"):
        Dag({"a": 0}, [[[]]])
    with pytest.raises(TypeError):
        Dag({"a": 0}, [5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda dag: dag.merge(bytes(24)), "16 bytes per node"),
        (lambda dag: dag.merge(bytes(32)), "`tokens` has 2 entries for a graph of 4 nodes"),
        (lambda dag: dag.fusion_groups(b"1", [0] * 4, bytes(4)), "`fusable` has 1"),
        (lambda dag: dag.fusion_groups(bytes(4), [0], bytes(4)), "`color` has 1"),
        (lambda dag: dag.chains(bytes(4), [0] * 4, bytes(5)), "`output` has 5"),
        (lambda dag: dag.chains(bytes(5), [0] * 4, bytes(4)), "`packable` has 5"),
        (lambda dag: dag.memory_order(bytes(4), [1.0]), "`bytes` has 1"),
        (lambda dag: dag.memory_order(bytes(4), [1, 1, -1, 1]), "`bytes` has -1, which"),
        (
            lambda dag: dag.memory_order(bytes(4), [1, 1, float("nan"), 1]),
            "has NaN, which is no amount",
        ),
        (lambda dag: dag.peak([0, 1, 2], bytes(4), [1] * 4), "`order` has 3"),
        (lambda dag: dag.peak([0, 1, 1, 2], bytes(4), [1] * 4), "node 1 comes twice"),
        (lambda dag: dag.peak([0, 1, 3, 2], bytes(4), [1] * 4), "node 3 .* before a dependency"),
        (lambda dag: dag.sections([0], [0] * 4), "`group` has 1"),
    ],
)
def test_arguments_that_do_not_fit_the_graph_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(dag_of(DIAMOND))


@pytest.mark.parametrize(
    "call",
    [
        lambda dag: dag.cull([0, 4]),
        lambda dag: dag.reaches(4, []),
        lambda dag: dag.reaches(0, [4]),
        lambda dag: dag.peak([0, 1, 2, 4], bytes(4), [1] * 4),
    ],
)
def test_nodes_that_do_not_exist_are_refused(call):
    with pytest.raises(IndexError, match="node 4 is not in a graph of 4 nodes"):
        call(dag_of(DIAMOND))


@pytest.mark.parametrize("step", [-1, 1], ids=["forwards", "backwards"])
def test_a_chain_of_a_million_nodes(step):
    n = 1_000_000
    order = list(range(n))[::-step]
    dag = dag_of([(i + step,) if 0 <= i + step < n else () for i in range(n)])
    yes, no = b"\x01" * n, bytes(n)
    color = array("I", no * 4)
    assert dag.topological_order() == order
    assert dag.cull([order[-1]]) == yes
    assert dag.fusion_groups(yes, color, no) == dag.chains(yes, color, no) == [order]
    assert dag.memory_order(no, array("d", [1.0]) * n) == (order, 2.0)
    assert dag.sections(array("I", [Dag.NONE]) * n, color) == ([0] * n, [[]])
    assert dag.reaches(order[0], [order[-1]]) == [order[-1]]
    assert dag.bottlenecks(no) == list(range(n))
