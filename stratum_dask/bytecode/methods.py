"""Calls of a class's own methods: what ``self.method()`` and ``super().method()`` do.

class Mine(BaseEstimator):
    def fit(self, X): return self._learn(X)     changes what `_learn` of the object's class changes
    def _learn(self, X): ...
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

from stratum_dask.bytecode.calls import Calls, Given
from stratum_dask.bytecode.effects import Effects
from stratum_dask.bytecode.flow import Lost
from stratum_dask.bytecode.machine import Machine
from stratum_dask.bytecode.members import (
    Member,
    has_own_seed,
    held_by_class,
    is_attribute,
    is_inherited,
    member,
)
from stratum_dask.bytecode.origins import (
    FRESH,
    GLOBAL,
    NOTHING,
    OWN_SEED,
    Method,
    Origins,
    Super,
    Value,
    union,
)
from stratum_dask.semantics import declared, of_library


class Methods(Machine):
    """A machine that knows the class of the function's first parameter.

    Parameters
    ----------
    code, lookup
        As :class:`Machine` takes them.
    known : callable
        Gives what is known of a Python function that is called.
    kind : type or None
        The class; None if the function is no method.

    Attributes
    ----------
    seen : Calls
        What was seen of calls.
    fits : frozenset of str
        The origins of what may be an estimator that is fitted.
    """

    def __init__(
        self,
        code: types.CodeType,
        lookup: Callable[[str], Any],
        known: Callable[[Any], Effects | None],
        kind: type | None,
    ) -> None:
        super().__init__(code, lookup)
        self.known, self.kind = known, kind
        self.object = next(iter(self.parameters.values()), FRESH).what
        self.seen = Calls()
        self.fits: Origins = NOTHING

    def own_call(self, what: Any, args: Sequence[Value], given: Given) -> Value | None:
        """Apply a call of ``super``, or of a method that is looked up in the class.

        Returns
        -------
        Value or None
            What it may return; None if it is no such call.
        """
        if what is super and self.kind is not None:
            return self.as_super(args[-1].what if args else None)
        if not isinstance(what, Method):
            return None
        found = self.of_class(what)
        if found is not None:
            self.seen.call((id(self.code), self.at), (None, found.value), args, given)
            return self.own_method(found, what.receiver, args)
        if not self.is_inherited(what):
            return None
        if what.name in ("__init__", "__setstate__"):
            self.changed |= what.receiver.own
        return FRESH

    def as_super(self, owner: Any) -> Value:
        """Return what ``super()`` does: the object, as the classes behind its own see it."""
        if owner is None:
            try:
                owner = self.lookup("__class__")
            except KeyError:
                raise Lost from None
        return next(iter(self.parameters.values()))._replace(what=Super(owner))

    def of_class(self, method: Method) -> Member | None:
        """Return what the object's class holds under the name of an attribute, if it calls that."""
        what = method.receiver.what
        if self.kind is None or not (isinstance(what, Super) or what is self.object):
            return None
        found = member(self.kind, method.name, what.owner if isinstance(what, Super) else None)
        return found if found is not None and found.functions else None

    def is_inherited(self, method: Method) -> bool:
        """Tell whether a method of a library's class is called by ``super()`` that is harmless."""
        what = method.receiver.what
        return (
            self.kind is not None
            and isinstance(what, Super)
            and is_inherited(self.kind, method.name, what.owner)
        )

    def attribute(self, receiver: Value, name: str) -> Value:
        """Return what an attribute may be; what all objects of a class share is a global."""
        found = super().attribute(receiver, name)
        if self.kind is None or receiver.what is None or receiver.what is not self.object:
            return found
        if name == "random_state" and has_own_seed(self.kind):
            return found._replace(what=OWN_SEED)
        if held_by_class(self.kind, name):
            origin = frozenset([f"{GLOBAL}{self.kind.__name__}.{name}"])
            return Value(origin, origin)
        if is_attribute(self.kind, name):  # what it holds and may call is a part of the object
            return found._replace(what=None)
        held = self.of_class(found.what) if isinstance(found.what, Method) else None
        if held is not None and held.on_access:
            return self.own_method(held, receiver, ())
        return found

    def own_method(self, method: Member, receiver: Value, args: Sequence[Value]) -> Value:
        """Return what a method of the object's own class may, and note what it may change."""
        given, reached = union(args), receiver.all | union(args) | self.stored
        for one in method.functions:
            inner = self.known(one)
            if inner is None or inner.mutates:
                first = frozenset(one.__code__.co_varnames[:1]) if method.bound else frozenset()
                only_object = inner is not None and inner.changes == first
                self.changed |= receiver.own if only_object else receiver.own | given
                self.stored |= given
            if inner is None or inner.fits:
                self.fits |= receiver.own | given
            self.seen.hands |= inner is not None and inner.hands
            reached |= from_elsewhere(inner, one)
        return Value(reached, reached)


def from_elsewhere(inner: Effects | None, what: Any) -> Origins:
    """Return the origins of what a call returns besides what it is given."""
    if what is None or isinstance(what, type) or declared(what) or of_library(what):
        return NOTHING
    if inner is None or inner.returns is None:  # such as a cache around a function
        return frozenset([f"{GLOBAL}{getattr(what, '__name__', what)}(...)"])
    return frozenset(one for one in inner.returns if one.startswith(GLOBAL))
