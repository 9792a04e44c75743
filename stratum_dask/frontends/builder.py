"""Tasks of a batch while it is written down."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from stratum_dask.graph import (
    DataNode,
    Graph,
    GraphNode,
    Key,
    Output,
    Task,
    TaskRef,
    gathered,
    lower,
)
from stratum_dask.ops.folds import rows

T = TypeVar("T")


class Builder:
    """Writes down the tasks of all candidates; equal ones are merged later, by the pipeline.

    Examples
    --------
    >>> builder = Builder()
    >>> X = builder.data([3, 4])
    >>> builder.want(0, [builder.call("count", len, X)])
    >>> len(builder.graph())
    2
    """

    def __init__(self) -> None:
        self.tasks: dict[Key, GraphNode] = {}
        self._outputs: list[Output] = []
        self._data: dict[int, tuple[Any, TaskRef]] = {}
        self._rows: dict[tuple[Key, Key], TaskRef] = {}
        self._known: dict[tuple[Any, int], tuple[Any, Any]] = {}
        self._name = uuid.uuid4().hex
        self._around: Graph | None = None

    def call(self, kind: str, func: Callable[..., Any], *args: Any, **kwargs: Any) -> TaskRef:
        """Add a task and return the reference to its value."""
        key = f"{kind}-{len(self.tasks)}-{self._name}"
        self.tasks[key] = Task(key, func, *args, **kwargs)
        return TaskRef(key)

    def once(self, ask: Callable[[Any], T], about: Any) -> T:
        """Return what a function says of an object, which is asked only once per object."""
        known = self._known.get((ask, id(about)))
        if known is None:  # kept with the object, so that its id stays its own
            known = self._known[ask, id(about)] = (about, ask(about))
        answer: T = known[1]
        return answer

    def data(self, value: Any) -> Any:
        """Add a value that many tasks use, once per object; None and references stay."""
        if value is None or isinstance(value, TaskRef):
            return value
        known = self._data.get(id(value))
        if known is None:
            key = f"data-{len(self.tasks)}-{self._name}"
            self.tasks[key] = DataNode(key, value)
            # The object is kept, so that its id stays its own.
            known = self._data[id(value)] = (value, TaskRef(key))
        return known[1]

    def collections(self, collections: Sequence[Any]) -> list[TaskRef]:
        """Add the tasks of dask collections, and those that make each one value; only once."""
        if not collections:
            return []
        self._around, sources = lower(list(collections), None)
        self.tasks.update(self._around.tasks)
        return [self.call("collection", *gathered(source)) for source in sources]

    def rows(self, values: TaskRef | None, indices: TaskRef) -> Any:
        """Add the task that takes some rows of a value."""
        if values is None:
            return None
        known = self._rows.get((values.key, indices.key))
        if known is None:
            known = self.call("rows", rows, values, indices)
            self._rows[values.key, indices.key] = known
        return known

    def want(self, candidate: Hashable, refs: Sequence[TaskRef]) -> None:
        """Ask for values, on behalf of a candidate."""
        self._outputs.append(Output(tuple(ref.key for ref in refs), candidate))

    def graph(self) -> Graph:
        """Return all that was written down."""
        around = self._around or Graph({}, ())
        return around.with_(tasks=self.tasks, outputs=tuple(self._outputs))
