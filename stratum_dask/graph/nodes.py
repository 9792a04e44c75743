"""Reading and making single tasks: the only code that knows how Dask spells one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from types import MethodType
from typing import Any, NamedTuple

import pandas as pd
from dask._task_spec import (
    Alias,
    DataNode,
    Dict,
    GraphNode,
    List,
    NestedContainer,
    Set,
    Task,
    TaskRef,
    Tuple,
    _identity_cast,
    convert_legacy_task,
)
from dask.delayed import _swap
from dask.utils import apply, key_split, methodcaller
from sklearn.base import BaseEstimator

from stratum_dask.graph.known import Key
from stratum_dask.ops.steps import Ref, Step

__all__ = [
    "NODE_TYPES",
    "Alias",
    "Call",
    "DataNode",
    "GraphNode",
    "NodeTypes",
    "Task",
    "TaskRef",
    "call_of",
    "dependencies_at",
    "is_future",
    "is_reference",
    "key_split",
    "nested_calls",
    "normalize",
    "steps_of",
]


_RECEIVERS = (BaseEstimator, pd.DataFrame, pd.Series, pd.Index)
"""Objects whose methods are known, whoever holds them."""


class NodeTypes(NamedTuple):
    """Dask's classes of tasks, for code that must tell them apart without importing them."""

    task: Any
    data: Any
    alias: Any
    ref: Any
    container: Any
    dict: Any


NODE_TYPES = NodeTypes(Task, DataNode, Alias, TaskRef, NestedContainer, Dict)


class Call(NamedTuple):
    """The call that a task makes: a callable with arguments, in which references are nodes."""

    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def is_future(obj: object) -> bool:
    """Tell whether `obj` is a Future of some scheduler rather than a plain reference."""
    kind = type(obj)
    if kind is TaskRef:
        return False
    return isinstance(obj, TaskRef) or getattr(obj, "__dask_future__", False) is True


def is_reference(argument: object) -> bool:
    """Tell whether a task's argument is the plain value of another task."""
    return isinstance(argument, TaskRef)


def call_of(node: GraphNode) -> Call | None:
    """Return what a task calls, or None for data, aliases and containers."""
    if type(node) is Task:
        return Call(node.func, node.args, node.kwargs)
    return None


def dependencies_at(node: GraphNode, positions: Sequence[int] | None) -> set[Key]:
    """Return the keys that the positional arguments at `positions` refer to; None for all."""
    if positions is None or type(node) is not Task:
        return set(node.dependencies)
    args = node.args
    return {ref.key for i in positions if i < len(args) for ref in _references(args[i])}


def nested_calls(node: GraphNode) -> Iterator[Task]:
    """Yield the calls inside the arguments of a task, as Bags and plain dicts have them."""
    if isinstance(node, Task):
        for value in (*node.args, *node.kwargs.values()):
            if type(value) is Task and value.func is not _identity_cast:
                yield value
            if isinstance(value, Task):
                yield from nested_calls(value)


def normalize(key: Key, value: Any, scope: Callable[[], Any]) -> GraphNode | None:
    """Return a graph's value as a task, without Dask's older and roundabout spellings.

    Legacy tuples become tasks, reversed operators become the operator with its operands in
    order, and an entry that only stands for an external key becomes None.

    Parameters
    ----------
    key : key
    value : object
        As found in a Dask graph.
    scope : callable
        Returns the keys that strings and tuples in a legacy task may refer to.
    """
    if type(value) is Task:
        func = value.func
        if type(func) is partial and func.func is _swap and len(value.args) == 2:
            return Task(key, func.args[0], value.args[1], value.args[0], **value.kwargs)
        if func is getattr and type(value.args[0]) is Alias:  # one that Dask has read, see below
            return Task(key, getattr, TaskRef(value.args[0].target), *value.args[1:])
        if type(func) is MethodType and isinstance(func.__self__, _RECEIVERS):
            return _on_receiver(key, value)
        if func is apply and not value.kwargs:
            return _spread(key, value)
        return value if value.key == key else value.substitute({}, key=key)
    if isinstance(value, TaskRef) or is_future(value):
        return None if value.key == key else Alias(key, value.key)
    if isinstance(value, GraphNode):
        if isinstance(value, NestedContainer):
            return _named_container(key, value)
        if isinstance(value, Alias):
            return None if value.target == key else Alias(key, value.target)
        return value if value.key == key else value.substitute({}, key=key)
    if type(value) is tuple and len(value) == 3 and value[0] is getattr:
        # An attribute of a Delayed. Read here, because the attribute's name is no reference
        # even where another graph of the batch has a key of that name.
        return Task(key, getattr, TaskRef(value[1]), value[2])
    node = convert_legacy_task(key, value, scope())
    if isinstance(node, Alias) and node.target == key:
        return None
    return node if isinstance(node, GraphNode) else DataNode(key, node)


def _on_receiver(key: Key, task: Task) -> Task:
    """Turn a call of ``model.fit`` into that of a method on a model, as ``delayed(model)`` has it.

    So it is known what is called on what, and that the model is a value that others may use.
    """
    method = task.func
    name = method.__name__
    if getattr(method.__self__, name, None) != method:  # under another name
        return task
    return Task(key, methodcaller(name), method.__self__, *task.args, **task.kwargs)


def _spread(key: Key, task: Task) -> Task:
    """Turn ``apply(func, args, kwargs)`` with a known function into a plain call."""
    func, args, *rest = task.args
    keywords = rest[0] if rest else {}
    if isinstance(func, GraphNode | TaskRef) or not callable(func) or len(rest) > 1:
        return task
    if isinstance(args, Tuple | List):
        args = args.args
    if type(args) not in (tuple, list) or isinstance(keywords, GraphNode):
        return task
    return Task(key, func, *args, **keywords)


def _named_container(key: Key, container: NestedContainer) -> Task:
    """Give a container a key of its own: Dask's containers lose theirs when substituted."""
    kind = type(container).klass
    if isinstance(container, Dict):
        keys, values = container.args[::2], container.args[1::2]
        return Task(key, _make_dict, List(*keys), List(*values))
    return Task(key, _identity_cast, *container.args, typ=kind)


def _make_dict(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    return dict(zip(keys, values, strict=True))


def steps_of(
    nodes: Sequence[GraphNode], name_of: Callable[[Callable[..., Any]], str | None]
) -> tuple[tuple[Step, ...], list[TaskRef]]:
    """Write tasks as the steps of one program.

    Parameters
    ----------
    nodes : sequence of GraphNode
        Tasks in topological order; no data and no aliases among them.
    name_of : callable
        Gives the canonical name of a callable that is understood, else None.

    Returns
    -------
    steps : tuple of Step
        One per node, and one per task nested in a node's arguments. The last node's is last.
    inputs : list of TaskRef
        The references to values from outside, numbered from 0 in this order.
    """
    inside = {node.key for node in nodes}
    inputs: dict[Key, TaskRef] = {}
    for node in nodes:
        if not node.dependencies <= inside:
            for ref in _references(node):
                if ref.key not in inside and (ref.key not in inputs or is_future(ref)):
                    inputs[ref.key] = ref
    writer = _Steps({key: _ref(i) for i, key in enumerate(inputs)}, name_of)
    for node in nodes:
        writer.refs[node.key] = writer.write(node, str(node.key))
    return tuple(writer.steps), list(inputs.values())


_ref = lru_cache(maxsize=1024)(Ref)


class _Steps:
    """Writes tasks as steps."""

    def __init__(
        self, refs: dict[Key, Ref], name_of: Callable[[Callable[..., Any]], str | None]
    ) -> None:
        self.refs, self.name_of = refs, name_of
        self.first = len(refs)
        self.steps: list[Step] = []

    def write(self, task: Any, label: str) -> Ref:
        func, kwargs, refs = task.func, task.kwargs, self.refs
        args = tuple(
            [refs[a.key] if type(a) is TaskRef else self.template(a, label) for a in task.args]
        )
        if kwargs:
            kwargs = {name: self.template(arg, label) for name, arg in kwargs.items()}
        self.steps.append(Step(self.name_of(func), func, args, kwargs, label))
        return _ref(self.first + len(self.steps) - 1)

    def template(self, arg: Any, label: str) -> Any:
        if not isinstance(arg, GraphNode):
            return self.refs[arg.key] if isinstance(arg, TaskRef) else arg
        if isinstance(arg, Alias):
            return self.refs[arg.target]
        if isinstance(arg, DataNode):
            return arg.value
        if isinstance(arg, Dict):
            items = [self.template(item, label) for item in arg.args]
            return dict(zip(items[::2], items[1::2], strict=True))
        if isinstance(arg, List | Tuple | Set):
            return type(arg).klass(self.template(item, label) for item in arg.args)
        return self.write(arg, label)


def _references(node: Any) -> list[TaskRef]:
    """Return the references in a task's arguments, at any depth."""
    if isinstance(node, TaskRef):
        return [node]
    if isinstance(node, Alias):
        return [TaskRef(node.target)]
    found: list[TaskRef] = []
    if isinstance(node, Task) and node.dependencies:
        for arg in (*node.args, *node.kwargs.values()) if node.kwargs else node.args:
            if type(arg) is TaskRef:
                found.append(arg)
            elif isinstance(arg, TaskRef | GraphNode):
                found.extend(_references(arg))
    return found
