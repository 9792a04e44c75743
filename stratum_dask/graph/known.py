"""Values that other plans have computed, as a batch sees them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from dask._task_spec import GraphNode, Task, TaskRef

Key = Hashable


class KnownValues(Protocol):
    """Where values may be found that other plans have computed: a cluster, a store."""

    live: bool
    """Whether it finds values by the tasks that made them, which then must stay tasks."""

    @property
    def sizes(self) -> Mapping[bytes, int]:
        """The bytes of what it has found, by token."""

    def find(self, tokens: Sequence[bytes]) -> Mapping[bytes, TaskRef | Known]:
        """Return those of some values that are known.

        Parameters
        ----------
        tokens : sequence of bytes
            Identities, all that a batch may use: one call asks for all.

        Returns
        -------
        mapping of bytes to TaskRef or Known
            By token a reference to a value that is alive (a Future, which keeps it so), or what
            makes a task that gets it.
        """

    def keep(
        self, func: Callable[..., Any], token: bytes, after: Sequence[bytes]
    ) -> Callable[..., Any]:
        """Return a function like `func` that leaves its value here if that is worth it.

        Parameters
        ----------
        func : callable
        token : bytes
            The identity of its value.
        after : sequence of bytes
            The identities of what it is computed from.
        """


class Known(Protocol):
    """A value that a task can get instead of computing it."""

    @property
    def seconds(self) -> float:
        """What computing it took."""

    def task(self, key: Key, instead_of: Key, originals: Any) -> GraphNode | None:
        """Return the task that gets it.

        Parameters
        ----------
        key : key
            Of the task.
        instead_of : key
            The task whose value it is.
        originals : Originals
            They compute the value if it cannot be got after all.

        Returns
        -------
        GraphNode or None
            None if it turns out that it cannot be got.
        """


class Found(NamedTuple):
    """A call that gets a known value.

    Attributes
    ----------
    func : callable
    args : tuple
        Literals only.
    seconds : float
        What computing it took.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...]
    seconds: float = 0.0

    def task(self, key: Key, instead_of: Key, originals: Any) -> GraphNode | None:
        """Return the call as a task."""
        return Task(key, self.func, *self.args)
