"""Reading collections into one flat graph, and giving the same back."""

from __future__ import annotations

import copy
import operator
from collections import namedtuple

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from sklearn.base import clone
from sklearn.linear_model import Ridge

import stratum_dask as sd
from stratum_dask.errors import CycleError, KeyCollisionError, MissingKeyError, NotAGraphError
from stratum_dask.graph import Task, TaskRef, lower


def inc(x):
    return x + 1


def add(x, y):
    return x + y


def batch(n=6):
    """Candidates that share a prefix, with Dask's default names."""
    results = []
    for i in range(n):
        start = dask.delayed(inc)(1)
        results.append(dask.delayed(add)(dask.delayed(inc)(start), i))
    return results


def test_delayed_come_back_as_delayed_with_their_own_keys():
    before = batch()
    after = sd.optimize(before)
    assert [type(x) for x in after] == [Delayed] * 6
    assert [x.key for x in after] == [x.key for x in before]
    assert dask.compute(*after) == dask.compute(*before)


@pytest.mark.parametrize(
    "shape",
    [
        lambda b: b[0],
        lambda b: tuple(b),
        lambda b: {"one": b[0], "two": [b[1], {"deep": b[2]}]},
        lambda b: [b[0], (b[1], [b[2]])],
        lambda b: namedtuple("Pair", "x y")(b[0], b[1]),
    ],
    ids=["single", "tuple", "dict", "nested", "namedtuple"],
)
def test_containers_come_back_as_they_were(shape):
    before = shape(batch())
    after = sd.optimize(before)
    assert type(after) is type(before)
    assert dask.compute(after) == dask.compute(before)


def test_inputs_are_not_modified():
    before = batch()
    graphs = [dict(x.dask) for x in before]
    sd.optimize(before)
    assert [dict(x.dask) for x in before] == graphs
    dsk = {"x": 1, "y": (inc, "x"), "z": (add, "y", (inc, "y"))}
    original = copy.deepcopy(dsk)
    sd.optimize(dsk)
    assert dsk == original


@pytest.fixture
def on_threads():
    """Compute on threads, though bags would start processes, again and again."""
    with dask.config.set(scheduler="threads"):
        yield


@pytest.mark.usefixtures("on_threads")
def test_every_kind_of_collection_at_once():
    frame = pd.DataFrame({"x": range(10), "y": np.arange(10) / 3})
    ddf = dd.from_pandas(frame, npartitions=3)
    ddf = ddf[ddf.x > 2].assign(z=ddf.x * ddf.y)
    array = (da.arange(20, chunks=5) + 1).reshape(4, 5).T
    bag = db.from_sequence(range(10), npartitions=2).map(inc)
    item = bag.sum()
    delayed = dask.delayed(inc)(41)
    before = [ddf, array, bag, item, delayed]
    after = sd.optimize(before)
    assert [type(x) for x in after] == [type(x) for x in before]
    pd.testing.assert_frame_equal(after[0].compute(), ddf.compute())
    np.testing.assert_array_equal(after[1].compute(), array.compute())
    assert after[2].compute() == bag.compute()
    assert after[3].compute() == item.compute()
    assert after[4].compute() == 42
    # They are collections to go on with.
    assert (after[1] + 1).sum().compute() == (array + 1).sum().compute()
    assert after[0].z.sum().compute() == pytest.approx(ddf.z.sum().compute())
    assert after[2].map(inc).compute() == bag.map(inc).compute()
    assert (after[4] + 1).compute() == 43


def test_legacy_dict_and_keys():
    dsk = {"x": 1, "y": (inc, "x"), "z": (add, "y", (inc, "y")), "unused": (inc, "y")}
    assert set(sd.optimize(dsk)) >= {"z", "unused"}
    only = sd.optimize(dsk, keys=["z"])
    assert "unused" not in only
    assert dask.get(only, "z") == 5


def test_high_level_graph():
    hlg = dask.delayed(add)(dask.delayed(inc)(1), 2).dask
    (key,) = [k for k in hlg.to_dict() if str(k).startswith("add")]
    after = sd.optimize(hlg)
    assert type(after) is HighLevelGraph
    assert dask.get(after.to_dict(), key) == 4


def test_reversed_operators_keep_their_order():
    x = dask.delayed(7)
    (after,) = sd.optimize([100 - x])
    assert after.compute() == 93


def test_attribute_named_like_a_key_of_another_graph():
    point = dask.delayed(complex)(3, 4)
    after = sd.optimize([point.imag, {"imag": 1, "out": (inc, "imag")}])
    assert after[0].compute() == 4
    assert dask.get(after[1], "out") == 2


def test_attributes_inside_and_outside_of_lists():
    """Dask reads the legacy tasks of what is in a list, and leaves those of everything else."""
    part = dask.delayed(complex)(3, 4).imag  # one Delayed, as `frame.iloc` is for many candidates
    before = [part + 1, dask.delayed(sum)([part, 2]), {"x": [dask.delayed([part])]}]
    for batch in (before, before[::-1]):
        assert dask.compute(*sd.optimize(batch)) == dask.compute(*batch)


def test_each_output_carries_only_what_it_needs():
    after = sd.optimize(batch(20), disable=["pack_chains"])
    sizes = {len(x.dask.to_dict()) for x in after}
    assert sizes == {3}  # inc, inc, add
    together = HighLevelGraph.merge(*(x.dask for x in after)).to_dict()
    assert len(together) == 2 + 20


def test_outputs_submitted_together_run_shared_work_once():
    calls = []

    @sd.pure
    def load():
        calls.append(1)
        return 1

    before = [dask.delayed(add)(dask.delayed(load)(), i) for i in range(5)]
    assert dask.compute(*sd.optimize(before)) == (1, 2, 3, 4, 5)
    assert len(calls) == 1


def test_big_literal_travels_once():
    frame = pd.DataFrame(np.zeros((5_000, 4)))
    before = [dask.delayed(add)(frame, i) for i in range(10)]
    after = sd.optimize(before)
    merged = HighLevelGraph.merge(*(x.dask for x in after)).to_dict()
    holders = [k for k in merged if "literal" in str(k)]
    assert len(holders) == 1
    for result, expected in zip(dask.compute(*after), dask.compute(*before), strict=True):
        pd.testing.assert_frame_equal(result, expected)


def total(items):
    return sum(frame.to_numpy().sum() for frame in items["frames"][0])


def test_big_literal_inside_containers_travels_once():
    frame = pd.DataFrame(np.ones((5_000, 4)))
    before = [dask.delayed(total)({"frames": ([frame, frame], i)}) for i in range(10)]
    after = sd.optimize(before)
    merged = HighLevelGraph.merge(*(x.dask for x in after)).to_dict()
    assert len([key for key in merged if "literal" in str(key)]) == 1
    assert dask.compute(*after) == dask.compute(*before)


def test_annotations_stay_and_keep_tasks_apart():
    with dask.annotate(workers=["a"]):
        one = dask.delayed(inc)(1)
    with dask.annotate(workers=["b"]):
        two = dask.delayed(inc)(1)
    with dask.annotate(priority=3):
        three = dask.delayed(inc)(5)
    with dask.annotate(priority=7):
        four = dask.delayed(inc)(5)
    after = sd.optimize([dask.delayed(add)(x, i) for i, x in enumerate((one, two, three, four))])
    hlg = HighLevelGraph.merge(*(x.dask for x in after))
    annotations = sorted(
        str(layer.annotations) for layer in hlg.layers.values() if layer.annotations
    )
    assert annotations == ["{'priority': 7}", "{'workers': ['a']}", "{'workers': ['b']}"]
    assert dask.compute(*after) == (2, 3, 8, 9)


def test_visualize_and_persist(tmp_path):
    after = sd.optimize(batch())
    (persisted,) = dask.persist(after[0])
    assert persisted.compute() == 3
    assert after[1].persist().compute() == 4
    assert len(after[0].dask.layers) >= 1


# -- bad input ---------------------------------------------------------------------------------


def test_cycle():
    with pytest.raises(CycleError, match=r"'a'.*'b'|'b'.*'a'"):
        sd.optimize({"a": (inc, "b"), "b": (inc, "a")}, keys=["a"])


def test_missing_key():
    task = Task("y", inc, TaskRef("x"))
    with pytest.raises(MissingKeyError, match=r"'y' refers to the key 'x'"):
        sd.optimize({"y": task})
    with pytest.raises(MissingKeyError, match="'nope'"):
        sd.optimize({"y": (inc, 1)}, keys=["nope"])


@pytest.mark.parametrize("thing", [3, "text", object(), None, [dask.delayed(1), 5]])
def test_no_graph(thing):
    with pytest.raises(NotAGraphError, match="is no graph"):
        sd.optimize(thing)


def test_colliding_keys():
    with pytest.raises(KeyCollisionError, match="'x'"):
        sd.optimize([{"x": (inc, 1)}, {"x": (inc, 2)}])
    same = sd.optimize([{"x": (inc, 1)}, {"x": (inc, 1)}])
    assert [dask.get(g, "x") for g in same] == [2, 2]


def test_empty_batches():
    assert sd.optimize([]) == []
    assert sd.optimize({}) == {}


def test_lower_keeps_track_of_candidates():
    graph, sources = lower({"a": batch(2), "b": dask.delayed(inc)(1)})
    assert [output.candidate for output in graph.outputs] == ["a", "a", "b"]
    assert len(sources) == 3


def test_operator_chain_of_delayed():
    x = dask.delayed([1, 2, 3])
    before = [operator.getitem(x, 1) + 1, -x[0], x.count(2)]
    assert dask.compute(*sd.optimize(before)) == dask.compute(*before)


def test_columns_of_delayed_frames():
    frame = pd.DataFrame({"a": [1, 2]})
    lazy = dask.delayed(frame)
    before = [sd.with_column(lazy, "b", lazy["a"] * 2), sd.with_column(frame, "b", lazy["a"] * 2)]
    for found in (*dask.compute(*before), *dask.compute(*sd.optimize(before))):
        pd.testing.assert_frame_equal(found, frame.assign(b=[2, 4]))


def test_methods_of_models_and_frames_are_calls_on_them():
    """As Dask's own examples have it: ``delayed(model.fit)(X, y)``."""
    frame = pd.DataFrame({"a": [1.0, None, 3.0, 4.0], "k": [0, 1, 0, 1]})
    model = Ridge()

    def candidate(by):
        X = dask.delayed(frame.fillna)(0)[["a"]] * by
        fitted = dask.delayed(model.fit)(X, frame["k"])
        return fitted.coef_, dask.delayed(frame.groupby)("k")["a"].sum(), fitted.predict(X)

    before = [candidate(by) for by in (1, 2, 1)]
    after = dask.compute(*sd.optimize(before), scheduler="sync")
    assert not hasattr(model, "coef_")
    for by, (coefficients, sums, predicted) in zip((1, 2, 1), after, strict=True):
        X = frame.fillna(0)[["a"]] * by
        fitted = clone(model).fit(X, frame["k"])
        np.testing.assert_array_equal(coefficients, fitted.coef_)
        np.testing.assert_array_equal(predicted, fitted.predict(X))
        pd.testing.assert_series_equal(sums, frame.groupby("k")["a"].sum())
    explained = sd.explain(before)
    assert not explained.why_not and len(explained.merged) >= 4


def test_methods_of_users_and_of_classes_stay_as_they_are():
    class Counter:
        def __init__(self):
            self.seen = 0

        def add(self, x):
            self.seen += x
            return self.seen

    counter = Counter()
    before = [
        dask.delayed(counter.add)(1),
        dask.delayed(pd.DataFrame.from_dict)({"a": [1]}),
        dask.delayed(complex(3, 4).conjugate)(),
    ]
    first, frame, conjugate = dask.compute(*sd.optimize(before), scheduler="sync")
    assert (first, counter.seen, conjugate) == (1, 1, 3 - 4j)
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"a": [1]}))
