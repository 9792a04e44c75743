"""Finding the tasks that fit an estimator which is known already, and what they fit it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from operator import getitem
from typing import Any, NamedTuple

import numpy as np
from dask.utils import methodcaller
from sklearn.base import BaseEstimator

from stratum_dask.families import Family, family_of
from stratum_dask.graph import Call, DataNode, Graph, GraphNode, Key, TaskRef, call_of
from stratum_dask.literals import Unknown
from stratum_dask.ops.fitting import fit
from stratum_dask.ops.folds import rows


class Fit(NamedTuple):
    """A task that fits an estimator which is known already.

    Attributes
    ----------
    key : key
    family : Family
    estimator : estimator
    X, y : object
        Literals or references.
    params : dict
        Further arguments of ``fit``.
    """

    key: Key
    family: Family
    estimator: Any
    X: Any
    y: Any
    params: dict[str, Any]


class Fold(NamedTuple):
    """Rows of X and y that tasks take for a fit.

    Attributes
    ----------
    take : callable
        Takes them: ``take(X, numbers)``.
    X, y, numbers : object
        Literals or references.
    """

    take: Callable[[Any, Any], Any]
    X: Any
    y: Any
    numbers: Any


def fits_of(graph: Graph) -> Iterator[Fit]:
    """Find the tasks that fit an estimator of some family.

    Parameters
    ----------
    graph : Graph
    """
    calls = [nodes for func, nodes in graph.calls if func is fit or _is_method(func, "fit")]
    for node in chain.from_iterable(calls):
        key, args = node.key, node.args
        if key in graph.why_not or key in graph.edited:
            continue
        if len(args) < 2 or not graph.edited.isdisjoint(node.dependencies):
            continue  # an order that the candidate relies on
        estimator = _estimator(graph, args[0])
        family = None if estimator is None else family_of(estimator, graph.numerics)
        params = dict(node.kwargs)
        args = args[1:]
        if node.func is not fit and len(args) == 1:
            args = (*args, params.pop("y", None))
        if family is not None and len(args) <= 2 and "X" not in params:
            X, y = (*args, None)[:2]
            yield Fit(key, family, estimator, X, y, params)


def _estimator(graph: Graph, argument: Any) -> Any:
    """Return the estimator that an argument stands for, if that is known now."""
    node = graph.tasks.get(argument.key) if isinstance(argument, TaskRef) else argument
    if isinstance(node, DataNode):
        node = node.value
    if isinstance(node, BaseEstimator) and not isinstance(node, type):
        return node
    call = call_of(node) if isinstance(node, GraphNode) else None
    if call is None or not (isinstance(call.func, type) and issubclass(call.func, BaseEstimator)):
        return None
    given = (*call.args, *call.kwargs.values())
    if any(isinstance(value, GraphNode | TaskRef) for value in given):
        return None
    try:
        # Estimators keep what they are given and do nothing else until they are fitted.
        return call.func(*call.args, **call.kwargs)
    except Exception:  # it fails when it runs, as the user wrote it
        return None


def fold_of(graph: Graph, one: Fit) -> Fold | None:
    """Return the fold that a fit is made on, if X and y are the same rows of two values."""
    if one.params:
        return None
    X, y = _taken(graph, one.X), _taken(graph, one.y)
    if X is None or y is None or X.func is not y.func:
        return None
    numbers = [same_values(graph, one.key, (call.args[1],)) for call in (X, y)]
    if numbers[0] is None or numbers[0] != numbers[1]:
        return None
    return Fold(X.func, X.args[0], y.args[0], X.args[1])


def _taken(graph: Graph, argument: Any) -> Call | None:
    """Return the call that takes rows, if that is where an argument comes from."""
    node = graph.tasks[argument.key] if is_task(graph, argument) else None
    call = call_of(node) if node is not None else None
    if node is None or call is None or (call.func is not rows and call.func is not getitem):
        return None
    if len(call.args) != 2 or call.kwargs or node.key in graph.why_not:
        return None
    if not isinstance(call.args[1], TaskRef | np.ndarray | list):
        return None  # a column, or one of several frames
    return call if graph.edited.isdisjoint({node.key, *node.dependencies}) else None


def same_values(graph: Graph, key: Key, values: tuple[Any, ...]) -> Any:
    """Return what equal arguments and equal annotations have in common; None if not known."""
    notes = graph.annotations.get(key)
    try:
        return (
            graph.fingerprinter.identity(values, graph.tokens),
            repr(sorted(notes.items())) if notes else "",
        )
    except (Unknown, RecursionError):
        return None


def _is_method(func: Any, method: str) -> bool:
    return type(func) is methodcaller and func.method == method


def is_task(graph: Graph, argument: Any) -> bool:
    """Tell whether an argument is the value of a task."""
    return type(argument) is TaskRef and argument.key in graph.tasks
