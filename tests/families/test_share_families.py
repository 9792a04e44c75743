"""The pass: which fits share their work, and which it must leave alone."""

from __future__ import annotations

import pickle

import dask
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from dask.utils import methodcaller
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

import stratum_dask as sd
from stratum_dask.families import cut_member, learn_family, prepare_use
from stratum_dask.graph import call_of, lower
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit
from stratum_dask.pipeline import pass_names, run

REQUIRED = {"identify", "protect_shared"}


def make():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))
    return X, X["a"] - X["b"] + rng.normal(size=60)


def make_X():
    return make()[0]


def make_y():
    return make()[1]


def forest(n=3, **params):
    return RandomForestRegressor(n, random_state=0, max_depth=4, **params)


def fits(*estimators, X=None, y=None, **params):
    """Return one candidate per estimator; each makes its own data."""
    return [
        delayed(one).fit(
            delayed(make_X)() if X is None else X, delayed(make_y)() if y is None else y, **params
        )
        for one in estimators
    ]


def shared(batch, numerics="exact", only=("cull", "merge_identical", "share_families")):
    graph, _ = lower(batch, None)
    off = set(pass_names()) - REQUIRED - set(only)
    return run(graph, numerics=numerics, disable=off, check=True)


def calls(graph, func):
    found = map(call_of, graph.tasks.values())
    return [call for call in found if call is not None and call.func is func]


def sizes(graph):
    """Return the sizes of the groups that share their fits."""
    return sorted(len(names) for names in graph.families.values())


def test_fits_of_a_family_become_one():
    graph = shared(fits(forest(2), forest(4), forest(7)))
    assert sizes(graph) == [3]
    assert len(calls(graph, learn_family)) == 1
    assert len(calls(graph, cut_member)) == 3
    again = run(graph, disable=set(pass_names()) - REQUIRED - {"share_families"}, check=True)
    assert again.tasks is graph.tasks


def test_all_spellings_of_a_fit_meet():
    X, y = delayed(make_X)(), delayed(make_y)()
    batch = [
        delayed(forest(2)).fit(X, y),
        delayed(forest(3)).fit(X, y=y),
        delayed(fit)(forest(4), X, y),
        delayed(RandomForestRegressor)(5, random_state=0, max_depth=4).fit(X, y),
        delayed(methodcaller("fit"))(forest(6), X, y),
    ]
    assert sizes(shared(batch)) == [5]
    for found, alone in zip(dask.compute(*sd.optimize(batch)), dask.compute(*batch), strict=True):
        np.testing.assert_array_equal(found.predict(make_X()), alone.predict(make_X()))


def test_groups_are_by_data_and_by_parameters():
    batch = [
        *fits(forest(2), forest(3)),
        *fits(forest(2), forest(3), y=delayed(np.negative)(delayed(make_y)())),
        *fits(forest(2, min_samples_leaf=2), forest(3, min_samples_leaf=2)),
        *fits(forest(2), forest(3), sample_weight=np.arange(60.0)),
    ]
    assert sizes(shared(batch)) == [2, 2, 2, 2]


@pytest.mark.parametrize(
    "batch",
    [
        lambda: fits(forest(2)),
        lambda: fits(forest(2), forest(2)),
        lambda: fits(Ridge(1.0), Ridge(2.0)),
        lambda: fits(forest(2), forest(3, min_samples_leaf=2)),
        lambda: fits(RandomForestRegressor(2), RandomForestRegressor(3)),
        lambda: [
            *fits(RandomForestRegressor(2, random_state=np.random.RandomState(0))),
            *fits(RandomForestRegressor(3, random_state=np.random.RandomState(0))),
        ],
        lambda: [*fits(forest(2)), *fits(forest(3), y=delayed(sd.impure(lambda: 0))())],
    ],
    ids=[
        "alone",
        "identical",
        "no family",
        "other parameters",
        "unseeded",
        "generators",
        "impure data",
    ],
)
def test_what_is_left_alone(batch):
    graph = shared(batch())
    assert not graph.families
    assert not calls(graph, learn_family)


def test_different_annotations_never_share():
    batch = []
    for n, priority in ((2, 1), (3, 1), (4, 2)):
        with dask.annotate(priority=priority):
            batch += fits(forest(n))
    graph = shared(batch)
    assert sizes(graph) == [2]
    (learned,) = graph.families
    assert graph.annotations[learned]["priority"] == 1
    assert sorted(a["priority"] for a in map(graph.annotations.get, graph.tasks) if a).count(2) > 0


def refit(model, X, y):
    return model.fit(X, y)


def after(model, _):
    return hasattr(model, "estimators_")


def test_a_receiver_that_is_read_after_its_fit_is_left_alone():
    X, y = delayed(make_X)(), delayed(make_y)()
    first, second = delayed(forest(2)), delayed(forest(3))
    fitted = first.fit(X, y)
    batch = [delayed(after)(first, fitted), second.fit(X, y)]
    assert not shared(batch).families
    assert dask.compute(*sd.optimize(batch))[0] is True


def test_refused_members_say_why():
    batch = fits(forest(2), forest(3), forest(4, warm_start=True))
    explained = sd.explain(batch)
    assert list(explained.families.values()) == [2]
    (reason,) = explained.why_not.values()
    assert "warm_start" in reason
    assert "2 fits into 1" in str(explained)
    assert "2 fits" in explained._repr_html_()
    # Nothing to share it with: nothing to say.
    assert not sd.explain(fits(forest(4, warm_start=True))).why_not


def test_an_estimator_that_was_fitted_before_is_left_alone():
    fitted = forest(4)
    fitted.mine = 1
    assert "fitted before" in str(sd.explain(fits(forest(2), fitted)))


def test_fits_are_reported_as_the_users():
    explained = sd.explain(fits(forest(2), forest(3)))
    assert explained.tasks_before == 8
    assert "learn-forests" in str(explained)


def test_switched_off():
    assert not shared(fits(forest(2), forest(3)), only=("cull", "merge_identical")).families


@pytest.mark.parametrize("scheduler", ["sync", "threads"])
def test_results_are_those_of_each_alone(scheduler):
    def batch():
        X, y = delayed(make_X)(), delayed(make_y)()
        models = [
            *fits(forest(2), forest(5), forest(3)),
            *fits(KNeighborsRegressor(2), KNeighborsRegressor(5)),
        ]
        return [
            *[model.predict(X) for model in models],
            *[model.score(X, y) for model in models],
            *[model.predict(X).sum() for model in fits(forest(4))],
        ]

    alone = [one.compute(scheduler="sync") for one in batch()]
    counters.reset()
    together = dask.compute(*sd.optimize(batch()), scheduler=scheduler)
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, other)
    counted = counters.snapshot()
    assert counted.hits["family forests"] == 4
    assert counted.hits["family neighbors"] == 2


def test_searches_are_shared_where_the_rows_agree():
    X = delayed(make_X)()
    head = X.head(10)
    models = fits(KNeighborsRegressor(2), KNeighborsRegressor(5), KNeighborsRegressor(7))
    batch = [m.predict(head) for m in models] + [m.predict(X) for m in models[:2]]
    batch += [models[2].predict(X.tail(3))]
    graph = shared(batch)
    assert len(calls(graph, prepare_use)) == 2
    for found, alone in zip(dask.compute(*sd.optimize(batch)), dask.compute(*batch), strict=True):
        np.testing.assert_array_equal(found, alone)


def edit(model):
    model.estimators_[0].tree_.value[:] = 0.0
    model.estimators_.pop()
    model.set_params(n_estimators=1)
    return len(model.estimators_)


def test_what_one_member_does_no_other_sees():
    models = fits(forest(2), forest(4))
    X = delayed(make_X)()
    batch = [
        delayed(edit)(models[1]),
        models[0].predict(X),
        models[1].predict(X),
        delayed(refit)(models[0], X, delayed(np.negative)(delayed(make_y)())).predict(X),
        *models,
    ]
    found = dask.compute(*sd.optimize(batch))
    data = make()
    small, large = forest(2).fit(*data), forest(4).fit(*data)
    assert found[0] == 3
    np.testing.assert_array_equal(found[1], small.predict(data[0]))
    np.testing.assert_array_equal(found[2], large.predict(data[0]))
    np.testing.assert_array_equal(found[3], forest(2).fit(data[0], -data[1]).predict(data[0]))
    found[4].estimators_[0].tree_.value[:] = 0.0
    np.testing.assert_array_equal(found[5].predict(data[0]), large.predict(data[0]))


def test_wanted_members_keep_their_keys_and_travel():
    batch = fits(forest(2), forest(4))
    after = sd.optimize(batch)
    assert [one.key for one in after] == [one.key for one in batch]
    for one, alone in zip(dask.compute(*after), dask.compute(*batch), strict=True):
        again = pickle.loads(pickle.dumps(one))
        assert again.get_params() == alone.get_params()
        np.testing.assert_array_equal(again.predict(make_X()), alone.predict(make_X()))


def test_errors_are_each_members_own():
    short = delayed(lambda: make()[1][:-1])()
    batch = fits(forest(2), forest(3), y=short)
    assert sizes(shared(batch)) == [2]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sd.optimize(batch)[0].compute()


def test_fits_that_feed_fits():
    """Members of one family may be the data of another."""
    X = delayed(make_X)()
    inner = fits(forest(2), forest(3))
    batch = [delayed(one).fit(X, m.predict(X)) for m in inner for one in (forest(4), forest(5))]
    graph = shared(batch)
    assert sizes(graph) == [2, 2, 2]
    for found, alone in zip(dask.compute(*sd.optimize(batch)), dask.compute(*batch), strict=True):
        np.testing.assert_array_equal(found.predict(make_X()), alone.predict(make_X()))


def test_nested_estimators_are_not_compared():
    batch = fits(
        GradientBoostingRegressor(n_estimators=2, init=Ridge(), random_state=0),
        GradientBoostingRegressor(n_estimators=3, init=Ridge(), random_state=0),
    )
    assert not shared(batch).families


def test_what_follows_from_close_values_has_another_identity():
    """A forest on a close prediction is not the forest on the exact one."""
    X = delayed(make_X)()
    inner = fits(Ridge(1.0), Ridge(2.0))
    batch = [delayed(forest(n)).fit(X, m.predict(X)) for m in inner for n in (2, 3)] + inner
    exact, close = shared(batch), shared(batch, numerics="close")
    assert sizes(close) == [2, 2, 2]
    again = run(close, numerics="close", disable=set(pass_names()) - REQUIRED, check=True)
    assert again.tokens.keys() >= again.tasks.keys()
    later = {key for key, call in calls_by_key(again) if call.func is not make_X}
    before = {exact.tokens[key] for key in exact.tasks}
    derived = {key for key in later if again.tasks[key].dependencies} & set(again.tokens)
    kept = [key for key in derived if again.tokens[key] in before and "make" not in str(key)]
    assert not kept


def calls_by_key(graph):
    return [(k, c) for k, n in graph.tasks.items() if (c := call_of(n)) is not None]
