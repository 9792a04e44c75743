"""One task for what the fits of a family have in common, a small one to cut each member out.

    forest(10).fit(X, y)                                    cut 10
    forest(30).fit(X, y)      ==>    forest(100).fit(X, y)  cut 30
    forest(100).fit(X, y)                                   cut 100

Where the library bins its rows first, fits that grow other trees on them share the bins:

    15 leaves fitted on X, y        bins of X, y            15 leaves fitted on the bins
    31 leaves fitted on X, y  ==>                           31 leaves fitted on the bins

Linear models also share between folds, whose rows nobody has to take then:

    Ridge(1) fitted on X[a], y[a]
    Ridge(2) fitted on X[a], y[a]   sums of X, y by fold    cut Ridge(1) on a
    Ridge(1) fitted on X[b], y[b]  ==>                      ...

Members that are then applied to the same rows share that work, too, where the family can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple, cast

from dask.utils import methodcaller
from sklearn.base import clone

from stratum_dask.families import (
    FAMILIES,
    Family,
    Refused,
    SharesRows,
    apply_member,
    bin_rows,
    cut_fold,
    cut_member,
    fit_binned,
    learn_binned,
    learn_family,
    learn_folds,
    prepare_use,
)
from stratum_dask.graph import Graph, Key, TaskRef, call_of
from stratum_dask.passes.fits import Fit, Fold, fits_of, fold_of, is_task, same_values
from stratum_dask.passes.replacing import Replacements
from stratum_dask.semantics import writes_inputs


class Use(NamedTuple):
    """A task that calls a method of a family's member."""

    key: Key
    family: str
    learned: TaskRef
    member: TaskRef
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def share_families(graph: Graph) -> Graph:
    """Share the work inside fits of one family on the same data, and inside their use.

    Parameters
    ----------
    graph : Graph
        With the tokens of all its tasks.

    Returns
    -------
    Graph
        The same object when nothing can be shared. Linear in tasks and references.
    """
    if graph.fingerprinter is None:
        return graph
    return _share_uses(_share_fits(graph))


# -- fits --------------------------------------------------------------------------------------


class Common(NamedTuple):
    """What a fit has in common with others that are given the same data.

    Attributes
    ----------
    family, rows : hashable or Refused
        Equal where fits are members of one group, or use the same bins; else why not.
    """

    family: Any
    rows: Any


def _share_fits(graph: Graph) -> Graph:
    together: dict[Any, list[Fit]] = defaultdict(list)
    binned: dict[Any, list[Fit]] = defaultdict(list)
    alone: dict[Any, list[tuple[Key, str | None]]] = defaultdict(list)
    known: dict[Any, Common] = {}  # one estimator is fitted on many folds
    for one in fits_of(graph):
        same = same_values(graph, one.key, (one.X, one.y, one.params))
        if same is None:
            continue
        given = id(one.estimator), *one.params
        if given not in known:
            known[given] = Common(_asked(one, _group_key), _asked(one, _rows_key))
        common, reason = known[given], None
        if isinstance(common.family, Refused):
            reason = str(common.family)
            together[one.key].append(one)
        else:
            together[one.family.name, common.family, same].append(one)
        if not isinstance(common.rows, Refused):
            binned[one.family.name, common.rows, same].append(one)
        alone[one.family.name, same].append((one.key, reason))
    refused = {
        key: f"is fitted by itself: {reason}"
        for fits in alone.values()
        for key, reason in fits
        if reason is not None and len(fits) > 1
    }
    if refused:
        graph = graph.with_(why_not={**graph.why_not, **refused})
    return _cut_out(graph, list(together.values()), list(binned.values()))


def _asked(one: Fit, key: Callable[[Fit], Any]) -> Any:
    try:
        return key(one)
    except Refused as reason:
        return reason


def _group_key(one: Fit) -> Any:
    _refuse_unclear(one, one.family.params)
    return one.family.key(one.estimator)


def _rows_key(one: Fit) -> Any:
    if not hasattr(one.family, "rows_key"):
        raise Refused("its library bins no rows")
    family = cast(SharesRows, one.family)
    _refuse_unclear(one, family.rows_params)
    return family.rows_key(one.estimator)


def _refuse_unclear(one: Fit, known: frozenset[str]) -> None:
    if unknown := sorted(one.params.keys() - known):
        raise Refused(f"its fit is given {', '.join(unknown)}")
    if writes_inputs(one.estimator):
        raise Refused("it was asked to work in the memory of its input")
    if vars(one.estimator).keys() != vars(clone(one.estimator)).keys():
        raise Refused("it was fitted before, or holds more than its parameters")


def _cut_out(graph: Graph, together: Sequence[list[Fit]], binned: Sequence[list[Fit]]) -> Graph:
    """Make one task per group that learns, and one per member; bins are tasks of their own."""
    plan = Replacements(graph)
    families = dict(graph.families) | _cut_folds(plan, together)
    together = [fits for fits in together if fits[0].key not in plan.renamed]
    rows = _bins(plan, together, binned)
    for fits in together:
        first, names = fits[0], [one.key for one in fits]
        family, on = first.family.name, rows.get(first.key)
        given: tuple[Any, ...] = (first.X, first.y)
        if len(fits) == 1:
            if on is not None:
                given = (family, on, first.estimator, *given)
                plan.replace(first.key, f"fit-{family}", b"", fit_binned, *given, **first.params)
            continue
        given = (tuple(one.estimator for one in fits), *given)
        name = f"learn-{family}"
        if on is None:
            learned = plan.shared(name, names, learn_family, family, *given, **first.params)
        else:
            learned = plan.shared(name, names, learn_binned, family, on, *given, **first.params)
        families[learned.key] = tuple(names)
        for one in fits:
            given = (family, learned, one.estimator, one.X, one.y)
            other = _other(first.family)
            plan.replace(one.key, f"cut-{family}", other, cut_member, *given, **one.params)
    return plan.applied(families=families)


def _cut_folds(plan: Replacements, together: Sequence[list[Fit]]) -> dict[Key, tuple[Key, ...]]:
    """Make one task that learns on several folds of the same rows, and one per member."""
    graph = plan.graph
    groups: dict[Any, list[tuple[Fold, list[Fit]]]] = defaultdict(list)
    for fits in together:
        first = fits[0]
        fold = fold_of(graph, first) if hasattr(first.family, "learn_folds") else None
        same = None if fold is None else same_values(graph, first.key, (fold.X, fold.y))
        with suppress(Refused):
            if fold is not None and same is not None:
                group = first.family.name, _group_key(first), fold.take, same
                groups[group].append((fold, fits))
    families: dict[Key, tuple[Key, ...]] = {}
    for several in groups.values():
        if len(several) == 1:
            continue
        names = [one.key for _, fits in several for one in fits]
        estimators = tuple(one.estimator for _, fits in several for one in fits)
        (take, X, y, _), family = several[0][0], several[0][1][0].family
        given = (family.name, estimators, take, X, y, *(fold.numbers for fold, _ in several))
        learned = plan.shared(f"learn-{family.name}", names, learn_folds, *given)
        families[learned.key] = tuple(names)
        for number, (fold, fits) in enumerate(several):
            for one in fits:
                given = (family.name, learned, number, one.estimator, *fold)
                plan.replace(one.key, f"cut-{family.name}", _other(family), cut_fold, *given)
    return families


def _other(family: Family) -> bytes:
    """Return what tells the values of a family from others: close to another is not the same."""
    return b"" if family.numerics == "exact" else b"close to"


def _bins(
    plan: Replacements, together: Sequence[list[Fit]], binned: Sequence[list[Fit]]
) -> dict[Key, TaskRef]:
    """Make one task for the bins of several fits, and return on which each is to be fitted."""
    learned_with = {one.key: fits[0].key for fits in together for one in fits}
    rows: dict[Key, TaskRef] = {}
    for fits in binned:
        first, names = fits[0], [one.key for one in fits]
        if len({learned_with[name] for name in names}) > 1:  # else one fit will do
            given = (first.family.name, first.estimator, first.X, first.y)
            name = f"bin-{first.family.name}"
            made = plan.shared(name, names, bin_rows, *given, **first.params)
            rows |= dict.fromkeys(names, made)
    return rows


# -- uses --------------------------------------------------------------------------------------


def _share_uses(graph: Graph) -> Graph:
    """Make one task for what applying members to the same rows has in common."""
    if not graph.families:
        return graph
    together: dict[Any, list[Use]] = defaultdict(list)
    for one in _uses(graph):
        same = same_values(graph, one.key, (one.learned, one.args[0]))
        if same is not None:
            together[same].append(one)
    plan = Replacements(graph)
    for uses in together.values():
        first = uses[0]
        if len(uses) == 1:
            continue
        names = [one.key for one in uses]
        args = (first.family, first.learned, first.args[0])
        prepared = plan.shared(f"prepare-{first.family}", names, prepare_use, *args)
        for one in uses:
            plan.replace(
                one.key,
                f"{one.method}-{one.family}",
                b"",
                apply_member,
                one.family,
                prepared,
                one.member,
                one.method,
                *one.args,
                **one.kwargs,
            )
    return plan.applied()


def _uses(graph: Graph) -> Iterator[Use]:
    """Find the tasks that call a method which members of a family share."""
    calls = [nodes for func, nodes in graph.calls if type(func) is methodcaller]
    for node in chain.from_iterable(calls):
        key, args, method = node.key, node.args, node.func.method
        if len(args) < 2:
            continue
        member = args[0]
        made = call_of(graph.tasks[member.key]) if is_task(graph, member) else None
        if made is None or made.func is not cut_member:
            continue
        family, learned = made.args[:2]
        if method in FAMILIES[family].methods and graph.edited.isdisjoint({key, member.key}):
            yield Use(key, family, learned, member, method, args[1:], node.kwargs)
