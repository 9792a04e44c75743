"""Where values come from: which parameters and globals they may be, and reach."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

ANYTHING = "*"
"""The origin of a value of which nothing is known."""

GLOBAL = "global "
"""How the origins begin that are no parameters: globals, closure variables, mutable defaults."""

Origins = frozenset[str]
NOTHING: Origins = frozenset()
CLASS: Origins = frozenset(["global type(...)"])
"""The class of a value, which all values of its kind share."""


class Value(NamedTuple):
    """What a value may be.

    Attributes
    ----------
    own : frozenset of str
        The parameters and globals that it may be.
    inner : frozenset of str
        Those that may be reached from it.
    what : object
        What it is for certain: a global object, a constant, a :class:`Method`; None if unknown.
    """

    own: Origins = NOTHING
    inner: Origins = NOTHING
    what: Any = None

    @property
    def all(self) -> Origins:
        """All that can be reached from it, itself included."""
        return self.own | self.inner


class Method(NamedTuple):
    """An attribute of a value."""

    name: str
    receiver: Value


class Parameter(NamedTuple):
    """What a parameter is until something else is stored under its name."""

    name: str


class Super(NamedTuple):
    """The object that a method is called of, as the classes after `owner` see it."""

    owner: Any


class Made(NamedTuple):
    """An object that the function makes of a class."""

    kind: type


class Keywords(NamedTuple):
    """The keywords of a call that are written out, and what ``**`` adds to them."""

    values: tuple[tuple[str, Value], ...]
    added: tuple[Any, ...] = ()


ITERATOR = object()
"""What an iterator is, and a container that holds one: it can be consumed only once."""
FLAT = object()
"""What a container is that holds nothing but constants: all that others could change is itself."""
OWN_SEED = object()
"""What an estimator's own ``random_state`` is; whether it is an int, the object tells."""
DYNAMIC = object()
"""What an attribute is whose name is not known."""

FRESH = Value()
"""A new value, or one that cannot be changed."""
UNKNOWN = Value(frozenset([ANYTHING]), frozenset([ANYTHING]))


def either(one: Value, two: Value) -> Value:
    """Return what may be one or the other."""
    what: Any = one.what if one.what is two.what else None
    methods = isinstance(one.what, Method) and isinstance(two.what, Method)
    if methods and one.what.name == two.what.name:  # loaded once, before a loop in its arguments
        what = Method(one.what.name, either(one.what.receiver, two.what.receiver))
    if ITERATOR in (one.what, two.what):
        what = ITERATOR
    return Value(one.own | two.own, one.inner | two.inner, what)


def union(values: Iterable[Value]) -> Origins:
    """Return all that can be reached from some values."""
    return NOTHING.union(*[value.all for value in values])
