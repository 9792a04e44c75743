"""Of what kind the tasks of a graph are: tasks of one kind and size cost about the same.

A packed chain counts as its steps, so that what is learned of one chain helps with any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator

from stratum_dask.graph import Alias, DataNode, Graph, GraphNode, Key, TaskRef, call_of
from stratum_dask.ops.direct import Native
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.packed import Packed
from stratum_dask.ops.sharing import Protected
from stratum_dask.ops.sizes import nbytes_of
from stratum_dask.ops.steps import Ref
from stratum_dask.ops.stored import Keep
from stratum_dask.semantics import name_of

_LONGEST = 120

ROUNDS = ("n_estimators", "iterations", "max_iter")
"""Parameters that say how often an estimator does the same; ``max_iter`` only in boosting."""

_LIBRARYS_OWN = 100
"""Rounds where an estimator leaves them to its library."""

_RETURN_ESTIMATORS = frozenset({".fit", "sklearn.base.clone"}) | {
    f"stratum.{name}"
    for name in (
        "assemble",
        "cut_fold",
        "cut_member",
        "fit",
        "fit_binned",
        "fit_transform",
        "fitted_of",
        "learn_binned",
        "learn_family",
        "learn_folds",
        "own",
        "unite",
    )
}
"""Calls whose value is the estimator that they are about, or holds it."""


class Subject(NamedTuple):
    """The estimator that a call is about.

    Attributes
    ----------
    name : str
        Its class; of a pipeline, those of its steps.
    rounds : int
        How often it does the same, such as growing a tree.
    """

    name: str
    rounds: int


class Work(NamedTuple):
    """One call that a task makes, or a value that is there.

    Attributes
    ----------
    key : key
        Of the task.
    label : str
        By which it is measured, and which names its value.
    kind : str
        What is called, with the class of the estimator that it is about; empty for values.
    rounds : int
        How often it does the same inside.
    sources : tuple of str
        Labels of the values that it takes.
    nbytes : int
        Of the value, if that is known: 0 if not.
    """

    key: Key
    label: str
    kind: str
    rounds: int
    sources: tuple[str, ...]
    nbytes: int = 0


def works_of(graph: Graph) -> tuple[Work, ...]:
    """Return all calls that the tasks of a graph make, in topological order.

    Parameters
    ----------
    graph : Graph
        At any stage of the pipeline.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from stratum_dask.graph import Task
    >>> from stratum_dask.ops.fitting import fit
    >>> graph = Graph({"a": Task("a", fit, Ridge(), [[1.0], [2.0]], [1.0, 2.0])}, ())
    >>> [work.kind for work in works_of(graph)]
    ['stratum.fit Ridge']
    """
    return graph.once(_read)


def _read(graph: Graph) -> tuple[Work, ...]:
    reader = _Reader(graph.sizes)
    there = (work for key in graph.external for work in reader.there(key))
    made = (work for key in graph.topology.order for work in reader.read(key, graph.tasks[key]))
    return (*there, *made)


class _At(NamedTuple):
    """Stands for the value of a label among the arguments of a call."""

    label: str


class _Reader:
    """Reads the tasks of a graph one after another, and remembers what each value is."""

    def __init__(self, sizes: Mapping[Key, int]) -> None:
        self._sizes = {str(key): size for key, size in sizes.items()}
        self._labels: dict[Key, str] = {}
        self._about: dict[str, Subject] = {}

    def there(self, key: Key) -> Iterator[Work]:
        """Yield a value that exists elsewhere, if its size is known."""
        label = str(key)
        if label in self._sizes:
            self._labels[key] = label
            yield Work(key, label, "", 1, (), self._sizes[label])

    def read(self, key: Key, node: GraphNode) -> Iterator[Work]:
        """Yield the calls of a task whose dependencies were read before."""
        label, call = str(key), call_of(node)
        known = self._labels
        sources = tuple(known[one] for one in node.dependencies if one in known)
        if isinstance(node, Alias) and sources:
            label = sources[0]
        elif isinstance(node, DataNode):
            self._learn(label, _subject(node.value))
            yield Work(key, label, "", 1, (), nbytes_of(node.value))
        elif call is None:
            yield Work(key, label, "container", 1, sources)
        elif isinstance(func := bare(call.func), Packed):
            labels = [known.get(getattr(arg, "key", None), "") for arg in call.args]
            for step in func.steps:
                given = [_At(labels[one.index]) if type(one) is Ref else one for one in step.args]
                numbers = _numbers((*step.args, *step.kwargs.values()))
                used = tuple(labels[number] for number in numbers)
                yield self._call(key, step.label, bare(step.func), given, step.kwargs, used)
                labels.append(step.label)
            label = labels[-1]
        else:
            given = [
                _At(known.get(one.key, "")) if isinstance(one, TaskRef) else one
                for one in call.args
            ]
            yield self._call(key, label, func, given, call.kwargs, sources)
        known[key] = label

    def _call(
        self,
        key: Key,
        label: str,
        func: Callable[..., Any],
        given: Sequence[Any],
        kwargs: Mapping[str, Any],
        sources: tuple[str, ...],
    ) -> Work:
        name, rounds = _name(func)
        subject = _made(func, kwargs)
        for one in given if subject is None else ():
            subject = self._about.get(one.label) if type(one) is _At else _subject(one)
            if subject is not None:
                break
        if subject is not None:
            if name in _RETURN_ESTIMATORS or isinstance(func, type):
                self._learn(label, subject)
            name, rounds = f"{name} {subject.name}", rounds * subject.rounds
        return Work(key, label, name[:_LONGEST], rounds, sources, self._sizes.get(label, 0))

    def _learn(self, label: str, subject: Subject | None) -> None:
        if subject is not None:
            self._about[label] = subject


def bare(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return what is called in the end, without protection, choice of a native form and keeping."""
    while isinstance(func, Protected | Native | Keep):
        func = func.func
    return func


def _name(func: Callable[..., Any]) -> tuple[str, int]:
    """Return what a function is called, and how many calls it stands for."""
    if isinstance(func, FusedFrame):
        return "fused", len(func.steps)
    known = name_of(func)
    if known is not None:
        return known, 1
    what = func if hasattr(func, "__qualname__") else type(func)
    return f"{what.__module__}.{what.__qualname__}", 1


def _made(func: Callable[..., Any], kwargs: Mapping[str, Any]) -> Subject | None:
    """Return the estimator that the call of a class makes."""
    if not (isinstance(func, type) and issubclass(func, BaseEstimator)):
        return None
    try:
        return _of(func(**{name: kwargs[name] for name in ROUNDS if name in kwargs}))
    except TypeError:  # it needs more, or refuses these when it runs
        return Subject(func.__name__, 1)


def _subject(value: Any) -> Subject | None:
    if isinstance(value, list | tuple) and value and _is_estimator(value[0]):
        # A family: its largest member is what is fitted.
        each = [_of(one) for one in value if _is_estimator(one)]
        return max(each, key=lambda one: one.rounds)
    return _of(value) if _is_estimator(value) else None


def _is_estimator(value: Any) -> bool:
    return isinstance(value, BaseEstimator) and not isinstance(value, type)


def _of(estimator: BaseEstimator) -> Subject:
    name = type(estimator).__name__
    steps = getattr(estimator, "steps", None)
    if isinstance(steps, list):
        name = "+".join(type(step[-1]).__name__ for step in steps)
    rounds = 1
    for parameter in ROUNDS:
        value = getattr(estimator, parameter, 1)
        if parameter != "max_iter" or "Boosting" in name:
            rounds *= value if isinstance(value, int) and value > 0 else _LIBRARYS_OWN
    return Subject(name, rounds)


def _numbers(template: Any) -> Iterator[int]:
    """Yield the numbers of all values that a step's arguments refer to."""
    kind = type(template)
    if kind is Ref:
        yield template.index
    elif kind in (list, tuple, set):
        for item in template:
            yield from _numbers(item)
    elif kind is dict:
        for item in (*template, *template.values()):
            yield from _numbers(item)
    elif kind is slice:
        yield from _numbers((template.start, template.stop, template.step))
