"""Collections of other libraries, and what Dask itself does with what comes back."""

from __future__ import annotations

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pytest
from dask.core import flatten
from dask.graph_manipulation import bind, clone, wait_on
from dask.highlevelgraph import HighLevelGraph

import stratum_dask as sd


def inc(x):
    return x + 1


def add(x, y):
    return x + y


class Plain:
    """A collection with no more than the protocol asks for: a graph without named layers."""

    __dask_scheduler__ = staticmethod(dask.threaded.get)
    __dask_optimize__ = None

    def __init__(self, dsk, keys):
        self.dsk, self.keys = dsk, keys

    def __dask_graph__(self):
        return self.dsk

    def __dask_keys__(self):
        return self.keys

    def __dask_postcompute__(self):
        return tuple, ()

    def __dask_postpersist__(self):
        return type(self), (self.keys,)


class Layered(Plain):
    """One that has Dask rewrite its tasks, and names its layer."""

    __dask_optimize__ = staticmethod(da.Array.__dask_optimize__)

    def __dask_layers__(self):
        return ("layer",)


class Table:
    """Named arrays, with methods that are properties, as xarray has them."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __dask_graph__(self):
        return HighLevelGraph.merge(*(one.__dask_graph__() for one in self.arrays.values()))

    def __dask_keys__(self):
        return [one.__dask_keys__() for one in self.arrays.values()]

    def __dask_layers__(self):
        return tuple(name for one in self.arrays.values() for name in one.__dask_layers__())

    @property
    def __dask_optimize__(self):
        return da.Array.__dask_optimize__

    @property
    def __dask_scheduler__(self):
        return da.Array.__dask_scheduler__

    def __dask_postcompute__(self):
        return self._finish, ()

    def _finish(self, results):
        pairs = zip(self.arrays.items(), results, strict=True)
        made = ((name, one.__dask_postcompute__(), parts) for (name, one), parts in pairs)
        return {name: finish(parts, *rest) for name, (finish, rest), parts in made}

    def __dask_postpersist__(self):
        return self._again, ()

    def _again(self, graph):
        made = {}
        for name, one in self.arrays.items():
            rebuild, rest = one.__dask_postpersist__()
            needed = dask.optimization.cull(dict(graph), list(flatten(one.__dask_keys__())))[0]
            made[name] = rebuild(needed, *rest)
        return Table(made)


@pytest.mark.parametrize("layered", [True, False])
def test_collections_without_names_of_layers(layered):
    dsk = {"x": 1, "y": (inc, "x"), "z": (add, "x", "y")}
    graph = HighLevelGraph({"layer": dsk}, {"layer": set()}) if layered else dsk
    (after,) = sd.optimize([Plain(graph, ["y", "z"])])
    assert type(after) is Plain and isinstance(after.dsk, type(graph))
    assert dask.compute(after) == ((2, 3),)
    assert dask.compute(*dask.persist(after)) == ((2, 3),)


def test_tasks_that_dask_rewrote_for_one_of_two_collections():
    hlg = HighLevelGraph({"layer": {("a", 0): (inc, 1), ("a", 1): (inc, 2)}}, {"layer": set()})
    one = Layered(hlg, [("a", 0), ("a", 1)])
    after = sd.optimize([one, dask.delayed(list)(one)])
    assert dask.compute(*after) == ((2, 3), [2, 3])


def test_methods_that_are_properties():
    x = da.arange(10, chunks=3)
    before = Table({"a": x + 1, "b": (x * 2).sum(), "c": x.reshape(2, 5)})
    after = sd.optimize([before, x + 1])
    assert type(after[0]) is Table
    expected = dask.compute(before)[0]
    for found in (*dask.compute(after[0]), *dask.compute(*dask.persist(after[0]))):
        assert found.keys() == expected.keys()
        for name, value in found.items():
            np.testing.assert_array_equal(value, expected[name])


COLLECTIONS = {
    "delayed": lambda: dask.delayed(add)(dask.delayed(inc)(dask.delayed(inc)(1)), 2),
    "attribute": lambda: dask.delayed(complex)(3, 4).imag,
    "array": lambda: da.arange(10, chunks=3) + 1,
    "reduced": lambda: (da.arange(10, chunks=3) + 1).sum(),
    "bag": lambda: db.from_sequence(range(6), npartitions=3).map(inc),
    "item": lambda: db.from_sequence(range(6), npartitions=3).map(inc).sum(),
}


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_graph_manipulation(kind):
    before = COLLECTIONS[kind]()
    after = sd.optimize(before)
    order = []

    def first():
        order.append("first")

    copy = clone(after)
    assert not set(flatten(copy.__dask_keys__())) & set(flatten(after.__dask_keys__()))
    with dask.config.set(scheduler="sync"):
        expected = before.compute()
        np.testing.assert_array_equal(copy.compute(), expected)
        np.testing.assert_array_equal(wait_on(after).compute(), expected)
        bound = bind(after, dask.delayed(first)())
        np.testing.assert_array_equal(bound.compute(), expected)
        np.testing.assert_array_equal(sd.optimize(bound).compute(), expected)
    assert order == ["first"] * 2
