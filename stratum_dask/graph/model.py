"""The flat graph that the passes work on: key -> task, and what is wanted of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from dask._task_spec import Alias, GraphNode, Task, TaskRef

from stratum_dask._native import CycleFound, Dag
from stratum_dask.errors import CycleError
from stratum_dask.graph.known import Key, KnownValues
from stratum_dask.graph.workers import Placement, Workers, nobody

T = TypeVar("T")
Annotations = Mapping[str, Any]
NO_GROUP = 0xFFFFFFFF
_OF_TASKS = ("topology", "calls")
"""What follows from the tasks alone."""
ANNOTATION = "stratum"
"""Dask's annotation that says of a task which plan it belongs to."""


class Output(NamedTuple):
    """One collection that the user passed, and wants back.

    Attributes
    ----------
    keys : tuple
        The keys of its results, in the collection's own order.
    candidate : hashable
        Which candidate of the batch it belongs to: its position or name in the container.
    """

    keys: tuple[Key, ...]
    candidate: Hashable


@dataclass(frozen=True)
class Topology:
    """A graph over integers: node `i` is the task of ``keys[i]``.

    Attributes
    ----------
    keys : list
        Keys by id, in the order of ``Graph.tasks``.
    ids : dict
        Ids by key.
    dag : Dag
        The native graph on which decisions are made.
    """

    keys: list[Key]
    ids: dict[Key, int]
    dag: Dag

    def flags(self, wanted: Iterable[Key]) -> bytearray:
        """Return one byte per node: 1 for the keys in `wanted`."""
        mask = bytearray(len(self.keys))
        ids = self.ids
        for key in wanted:
            i = ids.get(key)
            if i is not None:
                mask[i] = 1
        return mask

    @cached_property
    def order(self) -> list[Key]:
        """The keys in topological order, ties by position."""
        keys = self.keys
        return [keys[i] for i in self.dag.topological_order()]

    @cached_property
    def consumers(self) -> list[list[int]]:
        """Return the ids of the tasks that use each task's result."""
        return self.dag.dependents()


@dataclass(frozen=True)
class Graph:
    """A batch as one flat graph. Passes return new ones; nothing in it is ever modified.

    Attributes
    ----------
    tasks : mapping of key to GraphNode
        All tasks.
    outputs : tuple of Output
        What the user wants, one per collection.
    annotations : mapping of key to dict
        Dask annotations of the tasks that have some.
    plan : str
        Identifies this plan; part of every key that passes invent, so that no two plans ever
        use one name for different tasks.
    merged : mapping of key to tuple of keys
        For each shared task, the keys of the user's tasks that it stands for.
    tokens : mapping of key to bytes
        Identities of values, as far as they are known.
    why_not : mapping of key to str
        Reasons why tasks were kept apart.
    edited : frozenset of keys
        Values that one task edits in place and a later one reads, on purpose.
    fingerprinter : Fingerprinter or None
        What is known of this batch's functions and literals.
    external : frozenset of keys
        Keys of Futures: inputs that exist elsewhere.
    partitionwise : frozenset of keys
        Tasks of dask DataFrames that work on one partition each.
    numerics : {"exact", "close"}
        Whether values may differ from the originals within a stated bound.
    families : mapping of key to tuple of keys
        For each task that does what several fits have in common, the fits.
    known : tuple of KnownValues
        Where values may be found that other plans have computed.
    kept : frozenset of keys
        Values that other plans may use: treated like values that are seen outside.
    local : frozenset of bytes
        Tokens of values that mean something in this batch only, such as those of impure tasks
        and all that depends on them.
    reused : mapping of key to key
        For each task whose value was found, the key of what stands for it.
    saved : mapping of key to float
        For each task that gets a known value, the seconds that computing it took.
    sizes : mapping of key to int
        The bytes of known values.
    writers : frozenset of keys
        Known values that may hold an estimator that writes into what it is given.
    live : mapping of key to TaskRef
        Futures of wanted values that are alive under their own names: they have no tasks.
    workers : callable
        Returns the workers that the batch will run on, None if there are none.
    placement : Placement or None
        Where and in which order the tasks are meant to run, if that is decided.
    """

    tasks: Mapping[Key, GraphNode]
    outputs: tuple[Output, ...]
    annotations: Mapping[Key, Annotations] = field(default_factory=dict)
    plan: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    merged: Mapping[Key, tuple[Key, ...]] = field(default_factory=dict)
    tokens: Mapping[Key, bytes] = field(default_factory=dict)
    why_not: Mapping[Key, str] = field(default_factory=dict)
    edited: frozenset[Key] = frozenset()
    fingerprinter: Any = None
    external: frozenset[Key] = frozenset()
    partitionwise: frozenset[Key] = frozenset()
    numerics: str = "exact"
    families: Mapping[Key, tuple[Key, ...]] = field(default_factory=dict)
    known: tuple[KnownValues, ...] = ()
    kept: frozenset[Key] = frozenset()
    local: frozenset[bytes] = frozenset()
    reused: Mapping[Key, Key] = field(default_factory=dict)
    saved: Mapping[Key, float] = field(default_factory=dict)
    sizes: Mapping[Key, int] = field(default_factory=dict)
    writers: frozenset[Key] = frozenset()
    live: Mapping[Key, TaskRef] = field(default_factory=dict)
    workers: Callable[[], Workers | None] = nobody
    placement: Placement | None = None

    def __len__(self) -> int:
        return len(self.tasks)

    def with_(self, **changes: Any) -> Graph:
        """Return a copy with some attributes replaced."""
        made = replace(self, **changes)
        if "tasks" not in changes:
            known = self.__dict__
            made.__dict__.update({name: known[name] for name in _OF_TASKS if name in known})
        return made

    def once(self, ask: Callable[[Graph], T]) -> T:
        """Return what a function says of this graph, which is asked only once."""
        answers: dict[Any, T] = self.__dict__.setdefault("_answers", {})
        if ask not in answers:
            answers[ask] = ask(self)
        return answers[ask]

    @cached_property
    def wanted(self) -> frozenset[Key]:
        """All keys that the user wants."""
        return frozenset(key for output in self.outputs for key in output.keys)

    @property
    def shares_live(self) -> bool:
        """Whether others may use the values of its tasks while these are alive."""
        return any(source.live for source in self.known)

    @cached_property
    def visible(self) -> frozenset[Key]:
        """All keys whose values others may see: no pass may hide them in a larger task."""
        return self.wanted | self.kept

    @cached_property
    def topology(self) -> Topology:
        """The graph over integers.

        Raises
        ------
        CycleError
            If tasks depend on each other in a circle.
        """
        keys = list(self.tasks)
        ids = dict(zip(keys, range(len(keys)), strict=True))
        try:
            dag = Dag(ids, [node.dependencies for node in self.tasks.values()])
        except CycleFound as found:
            circle = " <- ".join(repr(keys[i]) for i in (*found.args[0], found.args[0][0]))
            raise CycleError(
                f"these tasks depend on each other in a circle: {circle}; "
                "remove one of the dependencies"
            ) from None
        return Topology(keys, ids, dag)

    @cached_property
    def calls(self) -> list[tuple[Callable[..., Any], list[Task]]]:
        """Each distinct callable and the tasks that call it, both in the order of the tasks.

        A batch calls few functions often: what follows from the function is asked once.
        """
        found: dict[int, tuple[Callable[..., Any], list[Task]]] = {}
        find = found.get
        for node in self.tasks.values():
            if type(node) is Task:
                func = node.func
                known = find(id(func))
                if known is None:
                    found[id(func)] = (func, [node])
                else:
                    known[1].append(node)
        return list(found.values())

    @cached_property
    def colors(self) -> list[int]:
        """One number per distinct annotation set, by node id: tasks of two colors never fuse."""
        if not self.annotations:
            return [0] * len(self.tasks)
        numbers: dict[str, int] = {"": 0}
        find = self.annotations.get
        return [
            numbers.setdefault(
                "" if (a := find(key)) is None else repr(sorted(a.items())), len(numbers)
            )
            for key in self.tasks
        ]

    def invent(self, prefix: str, identity: Hashable) -> str:
        """Return a new key of this plan."""
        return f"{prefix}-{identity}-{self.plan}"


def rewire(
    graph: Graph,
    *,
    new: Mapping[Key, GraphNode],
    dropped: Iterable[Key],
    renamed: Mapping[Key, Key],
    output: Callable[[Key, Key], GraphNode] = Alias,
    **changes: Any,
) -> Graph:
    """Replace tasks of a graph; what is known of a value follows it to its new key.

    Parameters
    ----------
    graph : Graph
    new : mapping
        Tasks to add, by key; each stands where the first task that was renamed to it stood.
    dropped : iterable of keys
        Tasks to leave out. A wanted one stays, as `output` of its key and its new target.
    renamed : mapping
        Old key -> key of the task that now makes its value; references follow.
    output : callable
        Makes the task that keeps a wanted key alive: an alias unless said otherwise.
    **changes
        Further attributes of the result.

    Returns
    -------
    Graph
    """
    gone = set(dropped)
    wanted = graph.wanted
    for group in ("partitionwise", "kept"):
        members = getattr(graph, group)
        together = {new for old, new in renamed.items() if old in members} if members else None
        if together:
            changes.setdefault(group, members | together)
    for known in ("tokens", "annotations"):
        about = getattr(graph, known)
        moved = {new: about[old] for old, new in renamed.items() if old in about}
        if known not in changes and moved:
            changes[known] = {**about, **moved}
    tasks: dict[Key, GraphNode] = {}

    def place(key: Key, node: GraphNode) -> None:
        if not renamed.keys().isdisjoint(node.dependencies):
            node = node.substitute(renamed, key=key)
        tasks[key] = node

    for key, node in graph.tasks.items():
        target = renamed.get(key)
        if target is not None and target in new and target not in tasks:
            place(target, new[target])
        if key not in gone:
            place(key, node)
        elif key in wanted and target is not None:
            tasks[key] = output(key, target)
    return graph.with_(tasks=tasks, **changes)


def candidates_of(outputs: Sequence[Output]) -> list[Hashable]:
    """Return the distinct candidates in their order."""
    return list(dict.fromkeys(output.candidate for output in outputs))
