"""Sharing never leaks: what one candidate edits, no other sees."""

from __future__ import annotations

import sqlite3
from collections import UserDict

import dask
import dask.bag as db
import numpy as np
import pandas as pd
import pytest
from pandas.tests.extension.json.array import JSONArray, JSONDtype
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

import stratum_dask as sd
from stratum_dask.errors import NotShareableError
from stratum_dask.ops.sharing import own
from tests.ops.oracle import assert_same


def make_frame():
    return pd.DataFrame({"x": [1.0, 2.0, 3.0], "cells": [[1], [2], [3]]})


def make_array():
    return np.arange(6.0)


def make_view(array):
    return array[1:4]


def make_list():
    return [[1], [2]]


def edit_frame(frame, by):
    frame["x"] += by
    return frame.x.sum()


def edit_cells(frame, by):
    for cell in frame["cells"]:
        cell.append(by)
    return [list(cell) for cell in frame["cells"]]


def edit_array(array, by):
    array += by
    return array.sum()


def edit_list(items, by):
    items[0].append(by)
    return items


def scores(make_value, edit, *between):
    """Return one candidate per number; each makes its own value and edits it."""

    def candidate(by):
        value = dask.delayed(make_value)()
        for step in between:
            value = dask.delayed(step)(value)
        return dask.delayed(edit)(value, by)

    return [candidate(by) for by in (10, 20, 30, 10)]


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
@pytest.mark.parametrize(
    "batch",
    [
        lambda: scores(make_frame, edit_frame),
        lambda: scores(make_frame, edit_cells),
        lambda: scores(make_array, edit_array),
        lambda: scores(make_array, edit_array, make_view),
        lambda: scores(make_list, edit_list),
    ],
    ids=["frame", "object cells", "array", "array slice", "containers"],
)
def test_in_place_edits_stay_in_their_candidate(batch, scheduler):
    alone = [candidate.compute(scheduler="sync") for candidate in batch()]
    together = dask.compute(*sd.optimize(batch()), scheduler=scheduler)
    assert list(together) == alone


def test_literals_are_not_edited_for_others():
    items = [1, 2]
    frame = pd.DataFrame({"x": np.arange(10_000.0)})
    before = [dask.delayed(edit_list)([items], by) for by in (1, 2, 3)]
    frames = [dask.delayed(edit_frame)(frame, by) for by in (1, 2, 3)]
    assert dask.compute(*sd.optimize(before)) == ([[1, 2, 1]], [[1, 2, 2]], [[1, 2, 3]])
    expected = [frame.x.sum() + by * 10_000 for by in (1, 2, 3)]
    assert list(dask.compute(*sd.optimize(frames))) == expected
    assert items == [1, 2]
    assert frame.x.iloc[0] == 0


def test_estimators_are_not_shared_while_fitted():
    x = np.arange(20.0).reshape(10, 2)
    model = Ridge()
    fits = [dask.delayed(model).fit(x, x[:, 0] * k) for k in (1, 2, 3)]
    fitted = dask.compute(*sd.optimize(fits))
    assert len({id(m) for m in fitted}) == 3
    assert not hasattr(model, "coef_")
    alone = [Ridge().fit(x, x[:, 0] * k).coef_ for k in (1, 2, 3)]
    np.testing.assert_array_equal([m.coef_ for m in fitted], alone)


def test_equal_results_are_separate_objects():
    a, b = dask.compute(*sd.optimize([dask.delayed(make_list)(), dask.delayed(make_list)()]))
    a[0].append("edit")
    assert b == [[1], [2]]


def edit_in_place(frame):
    frame["x"] = 0.0


def total(frame, after):
    return frame.x.sum()


def test_edits_that_a_candidate_relies_on_still_happen():
    def candidate():
        frame = dask.delayed(make_frame)()
        return dask.delayed(total)(frame, dask.delayed(edit_in_place)(frame))

    before = [candidate() for _ in range(3)] + [dask.delayed(total)(dask.delayed(make_frame)(), 0)]
    assert dask.compute(*before) == (0.0, 0.0, 0.0, 6.0)
    assert dask.compute(*sd.optimize(before)) == (0.0, 0.0, 0.0, 6.0)


def test_results_are_no_views_of_what_others_get():
    def batch():
        return [
            dask.delayed(make_view)(dask.delayed(make_array)()),
            dask.delayed(make_array)()[1:4],
            dask.delayed(make_array)(),
        ]

    first, second, whole = dask.compute(*sd.optimize(batch()))
    first += 100
    second += 1000
    np.testing.assert_array_equal(whole, np.arange(6.0))
    assert not np.shares_memory(first, second)


def _first_value(frame):
    frame["x"].array[0] = 7.0
    return frame["x"].iloc[0]


def _first_unlocked(frame):
    values = frame["x"].to_numpy()
    values.flags.writeable = True
    values[0] = 8.0
    return frame["x"].iloc[0]


def _first_number(frame):
    frame["i"].array[0] = 9
    return frame["i"].iloc[0]


def test_memory_of_frames_that_is_written_past_pandas():
    """An array of a column is the frame's own, which copy on write does not protect."""
    frame = pd.DataFrame({"x": [1.0, 2.0], "i": pd.array([1, 2], "Int64")})
    batch = [dask.delayed(f)(frame) for f in (_first_value, _first_unlocked, _first_number)]
    one, two, three, untouched = dask.compute(*sd.optimize([*batch, dask.delayed(frame)]))
    assert (one, two, three) == (7.0, 8.0, 9)
    assert untouched.iloc[0].tolist() == frame.iloc[0].tolist() == [1.0, 1]


FITTED_ON = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]})


def scale_given(frame, scaler):
    return scaler.fit_transform(frame).sum()


def scale_made(frame):
    return StandardScaler(copy=False).fit_transform(frame).sum()


def unlock(frame):
    array = check_array(frame, force_writeable=True)
    array[0] = 9
    return array.sum()


@pytest.mark.parametrize(
    "edit",
    [
        lambda x: dask.delayed(StandardScaler(copy=False).fit(FITTED_ON)).transform(x),
        lambda x: dask.delayed(StandardScaler(copy=False)).fit_transform(x),
        lambda x: dask.delayed(Ridge(copy_X=False)).fit(x, x["a"]).coef_,
        lambda x: dask.delayed(scale_given)(x, StandardScaler(copy=False)),
        lambda x: dask.delayed(scale_made)(x),
        lambda x: dask.delayed(unlock)(x),
    ],
)
def test_estimators_that_write_into_frames_past_pandas(edit):
    """scikit-learn makes the memory of a frame writeable that it was asked not to copy."""
    frame = dask.delayed(pd.DataFrame)({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 0.0]})
    _, whole, b = dask.compute(*sd.optimize([edit(frame), frame, frame["b"].sum()]))
    assert whole.to_dict("list") == {"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 0.0]}
    assert b == 4.0


def test_iterators_cannot_be_shared():
    with pytest.raises(NotShareableError, match="consumed only once"):
        own(iter([1]))


@pytest.mark.parametrize(
    "value",
    [
        3,
        "text",
        None,
        (1, [2]),
        {"a": [1]},
        {1, 2},
        np.arange(3),
        np.array([[1], None], dtype=object),
        np.asfortranarray(np.ones((3, 2))),
        pd.DataFrame({"a": [1], "b": ["x"]}),
        pd.Series([1, 2], name="s"),
        pd.Index(["a", "b"]),
        pd.Categorical(["a", "b"]),
    ],
    ids=repr,
)
def test_own_is_equal(value):
    copied = own(value)
    assert type(copied) is type(value)
    assert repr(copied) == repr(value)
    if isinstance(value, np.ndarray):
        assert copied.flags.f_contiguous == value.flags.f_contiguous
        assert copied.flags.writeable == value.flags.writeable


def test_own_keeps_read_only_arrays_read_only():
    array = np.arange(3)
    array.flags.writeable = False
    assert not own(array).flags.writeable


def test_own_clones_unfitted_and_copies_fitted():
    assert not hasattr(own(StandardScaler()), "mean_")
    fitted = StandardScaler().fit([[1.0], [2.0]])
    copied = own(fitted)
    copied.mean_ += 1
    assert fitted.mean_[0] == 1.5
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit([[1.0], [2.0]], [1.0, 2.0])
    assert own(pipeline).predict([[3.0]]) == pipeline.predict([[3.0]])
    as_frames = own(StandardScaler().set_output(transform="pandas"))
    assert isinstance(as_frames.fit_transform(pd.DataFrame({"x": [1.0, 2.0]})), pd.DataFrame)


def test_what_is_one_object_stays_one_in_copies():
    row, whole = [0], np.arange(12.0).reshape(3, 4)
    rows, (one, two, three) = own([[row], row]), own((whole, whole[1:, ::2], whole.T))
    rows[1].append(1)
    assert rows == [[[0, 1]], [0, 1]] and row == [0]
    two[:] = -1
    assert one[1:, ::2].max() == three.T[1:, ::2].max() == -1
    assert two.strides == whole[1:, ::2].strides
    assert whole.min() == 0
    endless = [1]
    endless.append(endless)
    copied = own(endless)
    assert copied[1] is copied is not endless


def test_texts_are_not_looked_through(monkeypatch):
    """A walk over the cells would take a second for a few columns of 300,000 texts."""
    texts = pd.Series(["a", None, "b"])
    frame = pd.DataFrame(
        {"texts": texts, "kinds": texts.astype("category"), "list": [[1], [], [2]]}
    )
    with monkeypatch.context() as patched:
        for name in ("texts", "kinds"):
            patched.setattr(type(frame[name].array), "__iter__", None)
        copied = own(frame)
    assert_same(copied, frame)
    assert copied["list"][0] is not frame["list"][0]


def test_cells_of_other_libraries_columns(monkeypatch):
    monkeypatch.setattr(JSONDtype, "__module__", "others")
    cells = JSONArray([UserDict(a=1), UserDict(b=2)])
    frame = pd.DataFrame({"cells": cells, "x": [1, 2]})
    for copied in (own(frame)["cells"], own(frame["cells"])):
        assert copied.dtype == cells.dtype
        copied[0]["a"] = 3
    assert dict(frame["cells"][0]) == {"a": 1}


@pytest.mark.parametrize(
    "part",
    [
        lambda a: a[:, 1],
        lambda a: a[::-1],
        lambda a: a[1::2, ::-2],
        lambda a: a.T[::2],
        lambda a: a[:1, :1],
        lambda a: a[:0],
        lambda a: np.broadcast_to(a[0], (3, 4)),
        lambda a: np.lib.stride_tricks.sliding_window_view(a[:, 0], 5),
        lambda a: a.astype(object)[:, 1],
        lambda a: np.asfortranarray(a),
    ],
)
def test_copies_of_parts_keep_their_strides(part):
    """BLAS takes other steps where values lie apart, and rounds otherwise."""
    original = part(np.random.default_rng(0).normal(size=(10_000, 4)))
    copied = own(original)
    assert not np.shares_memory(copied, original)
    np.testing.assert_array_equal(copied, original)
    assert copied.flags.writeable == original.flags.writeable
    if original.size > 1 and original.dtype != object:
        assert copied.strides == original.strides
        assert (copied.T @ copied == original.T @ original).all()


@pytest.mark.parametrize("order", ["C", "F"])
def test_copies_of_arrays_that_share_memory_may_be_written_if_the_originals_may(order):
    whole = np.asarray(np.arange(6.0).reshape(2, 3), order=order).copy(order=order)
    part = whole[1:]
    whole.flags.writeable = False
    copies = own([whole, part])
    assert [one.flags.writeable for one in copies] == [False, part.flags.writeable]
    assert copies[0].flags.c_contiguous == whole.flags.c_contiguous
    np.testing.assert_array_equal(copies[1], part)


def edit_first(first, second):
    first += 1
    return second.sum()


def edit_whole(found):
    found["whole"] += 1
    return found["part"].sum()


def make_parts():
    whole = np.arange(6.0)
    return {"whole": whole, "part": whole[:3]}


def test_edits_are_seen_under_all_names_of_a_value():
    def batch():
        array, twins = dask.delayed(make_array)(), dask.delayed(make_parts)()
        return [
            dask.delayed(edit_first)(array, array),
            dask.delayed(edit_first)(array, array[:3]),
            dask.delayed(edit_first)(array[3:], second=array),
            dask.delayed(edit_whole)(twins),
            array,
            twins["part"],
        ]

    alone = [one.compute(scheduler="sync") for one in batch()]
    together = dask.compute(*sd.optimize([*batch(), *batch()]), scheduler="sync")
    assert list(map(repr, together)) == list(map(repr, alone)) * 2
    assert alone[:4] == [21.0, 6.0, 18.0, 6.0]


def test_objects_in_cells_stay_objects():
    cells = [["a", pd.NA], [pd.Period("2020"), pd.NA], [pd.Interval(0, 1), pd.Interval(1, 2)]]
    frame = pd.DataFrame({i: pd.Series(each, dtype="object") for i, each in enumerate(cells)})
    assert own(frame).dtypes.tolist() == frame.dtypes.tolist()


opened = []


def connect():
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    opened.append(connection)
    connection.execute("create table numbers as select 1 as n")
    return connection


def ask(connection, by):
    return connection.execute(f"select n + {by} from numbers").fetchall()


class Columns(BaseEstimator):
    """Its constructor changes what it is given, so that scikit-learn cannot clone it."""

    def __init__(self, columns=None):
        self.columns = columns or []

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self


@pytest.fixture
def close_connections():
    yield
    while opened:
        opened.pop().close()


@pytest.mark.usefixtures("close_connections")
def test_what_cannot_be_copied_or_cloned():
    connection = dask.delayed(connect)()
    answers = dask.compute(*sd.optimize([dask.delayed(ask)(connection, by) for by in (1, 2)]))
    assert answers == ([(2,)], [(3,)])
    model, x = Columns(), np.arange(6.0).reshape(3, 2)
    one, two = dask.compute(*sd.optimize([dask.delayed(model).fit(x), dask.delayed(model).fit(-x)]))
    assert one.mean_.tolist() == [2, 3] and two.mean_.tolist() == [-2, -3]
    assert not hasattr(model, "mean_")


def mark(record):
    record["seen"] = True
    return len(record)


def append_each(rows):
    return [row.append(1) or row for row in rows]


def one_by_one(rows):
    yield from rows


def test_bags_and_iterators_over_what_others_see():
    """Bags hold calls inside of calls, which go through the items of a partition lazily."""

    def batch():
        bag = db.from_sequence([{"a": 1}, {"a": 2}], npartitions=1)
        rows = dask.delayed(make_list)()
        return [
            *(bag.map(mark), bag.map(len), bag, bag.pluck("a"), bag.filter(bool).map(mark)),
            *(dask.delayed(append_each)(dask.delayed(go)(rows)) for go in (one_by_one, reversed)),
            dask.delayed(len)(rows),
            rows,
        ]

    alone = [batch()[i].compute(scheduler="sync") for i in range(len(batch()))]
    together = [one.compute(scheduler="sync") for one in sd.optimize([*batch(), *batch()])]
    assert together == alone * 2
    assert alone[0] == [2, 2] and alone[2] == [{"a": 1}, {"a": 2}]


def test_calls_inside_of_calls_of_a_plain_graph():
    graph = {"rows": (make_list,), "edited": (list, (append_each, "rows")), "n": (sum, "rows", [])}
    graph["later"] = [(append_each, "rows"), (append_each, "rows")]
    alone = [dask.get(graph, key) for key in ("edited", "n", "later")]
    optimized = sd.optimize(graph, keys=["edited", "n", "later"])
    assert list(dask.get(optimized, ["edited", "n", "later"])) == alone


def loaded():
    return np.arange(6.0).reshape(3, 2)


def spoil(x, by):
    x[0] = by
    return by


def summed(x, after=0):
    return x.sum() + after


def spoiled(x, by):
    """Return a candidate that edits `x` and then reads it."""
    return dask.delayed(summed)(x, dask.delayed(spoil)(x, by))


def batches():
    """Yield batches that use one value, and edit it on purpose."""
    x = dask.delayed(loaded)()
    yield [spoiled(x, 100), dask.delayed(summed)(x)]
    yield [dask.delayed(summed)(x), spoiled(x, 100), spoiled(x, 1_000), x]
    edit = dask.delayed(spoil)(x, 100)
    yield [dask.delayed(summed)(x, edit), dask.delayed(summed)(x, edit + 1), edit, x]
    yield [[spoiled(x, 7)], dask.delayed(summed)(x)]
    before = dask.delayed(summed)(x)
    after = [dask.delayed(summed)(x, dask.delayed(spoil)(x, by) + before) for by in (7, 100)]
    yield [*after, before]
    frame = dask.delayed(pd.DataFrame)(x)
    scaler = dask.delayed(StandardScaler)(copy=False).fit(frame)
    yield [dask.delayed(summed)(frame, scaler.transform(frame).sum()), dask.delayed(summed)(frame)]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_edits_on_purpose_stay_with_their_candidate(number, scheduler):
    batch = list(batches())[number]
    alone = [dask.compute(one, scheduler="sync")[0] for one in batch]
    together = dask.compute(*sd.optimize(batch), scheduler=scheduler)
    for found, expected in zip(together, alone, strict=True):
        assert_same(found, expected)


def test_whoever_edits_and_wants_a_value_gets_it_edited():
    x = dask.delayed(loaded)()
    ((value, edited),) = dask.compute(*sd.optimize([[spoiled(x, 100), x]]), scheduler="sync")
    assert value == 100 + edited.sum() and edited[0].tolist() == [100, 100]
