"""Tasks that read values from the store, and tasks that leave theirs there.

A task that reads carries what it stands for: if the entry turns out to be gone or altered, the
original tasks run instead, each at most once in a process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd

from stratum_dask._native import digest
from stratum_dask.ops.sharing import Protected, own
from stratum_dask.ops.sizes import nbytes_of
from stratum_dask.store.access import open_in_task
from stratum_dask.store.behind import write_behind
from stratum_dask.store.files import Entry
from stratum_dask.store.store import Address, Missing, Store
from stratum_dask.store.surroundings import surroundings
from stratum_dask.store.values import Refused, encode
from stratum_dask.user_code import is_the_same

Node = Any
Key = Any


def name_in_store(token: bytes, settings: bytes) -> bytes:
    """Return under which name a value is stored that is made under some settings."""
    return digest(token + settings)


# -- reading -----------------------------------------------------------------------------------


class Originals:
    """The tasks that a plan left out since their values are stored.

    Parameters
    ----------
    plan : str
    tasks : mapping of key to GraphNode
        Those and all that they depend on, but for what their readers are given.
    """

    def __init__(self, plan: str, tasks: Mapping[Key, Node]) -> None:
        self.plan = plan
        self.tasks = dict(tasks)
        self._values: dict[Key, Any] = {}
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        return _joined, (self.plan, self.tasks)

    def part(self, key: Key, given: Iterable[Key]) -> Originals:
        """Return what computing one value needs besides what is given."""
        needed: dict[Key, Node] = {}
        stack, outside = [key], frozenset(given)
        while stack:
            one = stack.pop()
            if one not in needed and one not in outside:
                needed[one] = self.tasks[one]
                stack.extend(self.tasks[one].dependencies)
        return Originals(self.plan, needed)

    def value(self, key: Key, given: Mapping[Key, Any]) -> Any:
        """Compute a value as the original tasks would have; safe from several threads."""
        with self._lock:
            self._values.update(given)
            stack = [key]
            while stack:
                one = stack[-1]
                missing = []
                if one not in self._values:
                    node = self.tasks[one]
                    missing = [other for other in node.dependencies if other not in self._values]
                    if not missing:
                        self._values[one] = self._run(node)
                stack.extend(missing) if missing else stack.pop()
            return own(self._values[key])

    def _run(self, node: Node) -> Any:
        func = getattr(node, "func", None)
        if func is not None and not isinstance(func, Protected):
            # Nobody decided who may edit what here, so that every call gets copies.
            node = type(node)(node.key, Protected(func), *node.args, **node.kwargs)
        return node({one: self._values[one] for one in node.dependencies})


_plans: WeakValueDictionary[str, Originals] = WeakValueDictionary()
_plans_lock = threading.Lock()


def _joined(plan: str, tasks: Mapping[Key, Node]) -> Originals:
    """Return this process's originals of a plan, so that several readers share what they run."""
    with _plans_lock:
        found = _plans.get(plan)
        if found is None:
            found = _plans[plan] = Originals(plan, {})
        found.tasks.update(tasks)
        return found


class Ticket:
    """What a reading task is given: where the entry is, and what to do without it.

    Parameters
    ----------
    address : Address
    entry : Entry
    settings : bytes
        Under which the value was made, and must be read.
    originals : Originals
    key : key
        The task that it stands for.
    token : bytes
        The identity of its value.
    given : sequence of keys
        The large inputs that the reading task gets as arguments instead.
    """

    def __init__(
        self,
        address: Address,
        entry: Entry,
        settings: bytes,
        originals: Originals,
        key: Key,
        token: bytes,
        given: Sequence[Key],
    ) -> None:
        self.address, self.entry, self.settings = address, entry, settings
        self.originals, self.key, self.token, self.given = originals, key, token, tuple(given)

    def __reduce__(self) -> tuple[Any, ...]:
        part = self.originals.part(self.key, self.given)
        rest = (self.key, self.token, self.given)
        return Ticket, (self.address, self.entry, self.settings, part, *rest)


def load_stored(ticket: Ticket, *given: Any) -> Any:
    """Return a stored value; compute it if that fails.

    Parameters
    ----------
    ticket : Ticket
    *given
        Inputs for computing it.
    """
    if surroundings() == ticket.settings:
        store = open_in_task(ticket.address)
        if store is not None:
            try:
                value = store.load(ticket.entry).value
            except Missing:
                pass
            else:
                _since[ticket.token] = store.speed.seconds(ticket.entry.size)
                return value
    return ticket.originals.value(ticket.key, dict(zip(ticket.given, given, strict=True)))


# -- writing -----------------------------------------------------------------------------------

_LEAST = 0.005
"""What takes fewer seconds is not worth it: writing the smallest value takes one or two ms."""
_MARGIN = 5.0
"""How many times longer than reading must computing take: writing takes time as well."""
_STRUCTURE = 4e7
"""Bytes per second in which objects are made again."""
_CELL = 2e-6
"""Seconds for which an object in a cell is looked at when it is written."""

_since: dict[bytes, float] = {}
"""Seconds that making values again would take, from what is stored, in this process."""
_MOST_SINCE = 100_000


class Keep:
    """A task's function whose value is stored if that is worth it.

    Parameters
    ----------
    func : callable
    token : bytes
        The identity of its value.
    after : tuple of bytes
        Those of what it is computed from.
    address : Address
    code : mapping of str to bytes
        What the user's modules said when the token was made.

    Notes
    -----
    The value is copied before it is returned, since who gets it may change it, and written later.
    Nothing that goes wrong with it reaches the task.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        token: bytes,
        after: tuple[bytes, ...],
        address: Address,
        code: Mapping[str, bytes],
    ) -> None:
        self.func, self.token, self.after = func, token, after
        self.address, self.code = address, code

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        began = perf_counter()
        value = self.func(*args, **kwargs)
        seconds = perf_counter() - began
        seconds += max((_since.get(one, 0.0) for one in self.after), default=0.0)
        if len(_since) > _MOST_SINCE:
            _since.clear()
        _since[self.token] = seconds
        if seconds >= _LEAST:
            store = open_in_task(self.address)
            reading = store and self._store(store, value, seconds)
            if reading:
                _since[self.token] = reading
        return value

    def _store(self, store: Store, value: Any, seconds: float) -> float | None:
        """Store a value if it is worth it, and return how many seconds reading it will take."""
        try:
            if store.speed.seconds(nbytes_of(value)) * _MARGIN > seconds:
                raise Refused("sooner computed than read")
            if _cells(value) * _CELL * _MARGIN > seconds:
                raise Refused("many objects in cells, sooner computed than read")
            encoded = encode(value)
            reading = store.speed.seconds(encoded.nbytes) + len(encoded.structure) / _STRUCTURE
            if reading * _MARGIN > seconds:
                raise Refused("sooner computed than read")
            if not is_the_same(self.code):
                raise Refused("a module of the user's has other code than where it was planned")
            name = name_in_store(self.token, surroundings())
            return reading if write_behind(store, name, encoded, seconds) else None
        except Exception as why:
            store.refuse(str(why) if isinstance(why, Refused) else f"{type(why).__name__}: {why}")
            return None


def _cells(value: Any) -> int:
    """Return how many Python objects the cells of a frame or array hold."""
    if isinstance(value, np.ndarray):
        return int(value.size) if value.dtype.hasobject else 0
    if isinstance(value, pd.DataFrame):
        return [dtype.kind for dtype in value.dtypes].count("O") * len(value)
    if isinstance(value, pd.Series | pd.Index):
        return len(value) if value.dtype.kind == "O" else 0
    return 0
