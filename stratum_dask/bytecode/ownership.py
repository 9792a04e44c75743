"""Which of its parameters a function may change, from its bytecode.

What its calls and assignments do to the origins of values (see `origins`) is said here:

    df = df.copy()      df is no parameter any more (its cells still may be)
    df["x"] = 0         changes what df may be: nothing that the caller sees

Branches are joined at their targets until nothing changes; what is not understood may be anything.
So the answer may name too many parameters, never too few.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from stratum_dask.bytecode.calls import Calls, Given, may_call, returns_iterator
from stratum_dask.bytecode.effects import Effects
from stratum_dask.bytecode.flow import Lost
from stratum_dask.bytecode.methods import Methods, from_elsewhere
from stratum_dask.bytecode.origins import (
    ANYTHING,
    CLASS,
    DYNAMIC,
    FLAT,
    GLOBAL,
    ITERATOR,
    NOTHING,
    Keywords,
    Made,
    Method,
    Origins,
    Value,
    either,
    union,
)
from stratum_dask.semantics import (
    FITTING,
    LOGGING,
    MUTATING_METHODS,
    PURE_METHODS,
    READERS,
    TRANSFORMING,
    TWO_MEANINGS,
    VIEWS,
    is_pure,
    is_users_estimator,
    name_of,
    parameters,
    writes,
)

_ELEMENTS = frozenset({"get", "items", "keys", "values", "first", "last", "nth", "array", "pop"})
_ELEMENTS |= {"transform", "inverse_transform"}  # of which some return what they are given
_ELEMENTS_OF = frozenset(
    f"builtins.{name}" for name in ("enumerate", "filter", "map", "max", "min", "reversed", "zip")
)
_WRITER = ("copy", "overwrite")


class Followed(NamedTuple):
    """What is known of a function whose values were followed.

    Attributes
    ----------
    changed : frozenset of str
        Names of the parameters that it may change; globals and closure variables as
        ``"global NAME"``; :data:`ANYTHING` if more cannot be said.
    returned : frozenset of str
        Likewise of what its value may be, hold or be a part of.
    makes_writers : bool
        Whether it may make an estimator that writes into its input (``copy_X=False``).
    calls : Calls or None
        What its calls do; None if they could not be followed.
    fits : frozenset of str
        Names of the parameters that may be, or hold, estimators that it fits.
    """

    changed: Origins
    returned: Origins
    makes_writers: bool
    calls: Calls | None
    fits: Origins


def follow(
    code: types.CodeType,
    lookup: Callable[[str], Any],
    known: Callable[[Any], Effects | None],
    kind: type | None = None,
) -> Followed:
    """Follow the values of a function through its code.

    Parameters
    ----------
    code : code
        Of a function without generators.
    lookup : callable
        Gives the value of a global or closure variable; raises ``KeyError`` if there is none.
    known : callable
        Gives what is known of a Python function that is called.
    kind : type, optional
        The class of its first parameter, if it is a method.

    Returns
    -------
    Followed

    Notes
    -----
    Linear in the code, times the number of joins.

    Examples
    --------
    >>> def edit(df, column):
    ...     df = df.copy()
    ...     df[column] = 0
    ...     return df
    >>> follow(edit.__code__, {}.__getitem__, lambda func: None).changed
    frozenset()
    """
    walk = _Walk(code, lookup, known, kind)
    try:
        walk.run()
    except (Lost, IndexError, ValueError):
        anything = frozenset([ANYTHING])
        return Followed(anything, anything, True, None, anything)
    returned = walk.returned | walk.stored
    return Followed(walk.changed, returned, walk.makes_writers, walk.seen, walk.fits)


class _Walk(Methods):
    def __init__(
        self,
        code: types.CodeType,
        lookup: Callable[[str], Any],
        known: Callable[[Any], Effects | None],
        kind: type | None = None,
    ) -> None:
        super().__init__(code, lookup, known, kind)
        self.iterating: set[types.CodeType] = set()  # nested functions that return iterators
        self.makes_writers = False

    @property
    def found(self) -> tuple[Origins, Origins, Origins, bool, Origins]:
        return self.stored, self.changed, self.returned, self.makes_writers, self.fits

    def nested(self, taken: Sequence[Value]) -> Value:
        """Return a function made here, if it changes nothing whenever it runs."""
        code = next((one.what for one in taken if isinstance(one.what, types.CodeType)), None)
        if code is None or any(one.opname == "STORE_DEREF" for one in dis.get_instructions(code)):
            raise Lost
        walk = _Walk(code, self.within, self.known)
        walk.run()
        if walk.changed:
            self.changed |= {ANYTHING}
        self.makes_writers |= walk.makes_writers
        if walk.fits:  # its parameters are not ours
            self.fits |= {ANYTHING}
        for site, (what, seed) in walk.seen.draws.items():  # its parameters are not ours
            self.seen.draws[site] = what, seed is True
        self.seen.reasons.update(walk.seen.reasons)
        self.seen.hands |= walk.seen.hands
        if walk.seen.iterates or code.co_name == "<genexpr>":
            self.iterating.add(code)
        return Value(NOTHING, union(taken), code)

    def within(self, name: str) -> Any:
        """Look up a name for a nested function: a variable of this one may be anything."""
        if name not in self.ever:
            return self.lookup(name)
        if isinstance(self.ever[name].what, types.ModuleType | type):  # imported, and nothing else
            return self.ever[name].what
        raise KeyError(name)

    def stores(self, op: str, stack: list[Value]) -> None:
        count = {"STORE_SUBSCR": 3, "STORE_SLICE": 4, "DELETE_ATTR": 1}.get(op, 2)
        taken = [stack.pop() for _ in range(count)]
        at = {"STORE_SUBSCR": 1, "DELETE_SUBSCR": 1, "STORE_SLICE": 2}.get(op, 0)
        container = taken[at]
        self.changed |= container.own
        self.hands_out(taken)
        if isinstance(container.what, types.ModuleType | types.FunctionType | type):
            self.changed |= {GLOBAL + container.what.__name__}
        self.stored |= union(taken)

    def hands_out(self, values: Iterable[Value]) -> None:
        """Note that values are returned, or put into what may be."""
        self.seen.iterates |= any(one.what is ITERATOR for one in values)

    # -- calls ----------------------------------------------------------------------------------

    def calls(self, op: str, arg: int, effect: int, stack: list[Value]) -> Value:
        keywords, self.keywords = self.keywords, ()
        if op == "CALL_FUNCTION_EX":
            taken = [stack.pop() for _ in range(1 - effect)]
            if len(taken) <= 3:
                return self.call(taken[-2:], taken, (), Given({}))
            last = taken[0].what
            written, added = last if isinstance(last, Keywords) else ((), (None,))
            given = Given(dict(written), others=True, added=added)
            # What ** holds is not known, but for makers of columns and objects, and for fits.
            keywords = () if _takes_any(taken[-2:]) else ("out",)
            return self.call(taken[-2:], taken, keywords, given)
        if op == "CALL_KW":
            names = stack.pop().what
            keywords = names if isinstance(names, tuple) else ("out",)
        taken = [stack.pop() for _ in range(arg + 2)]
        given = Given(dict(zip(reversed(keywords), taken, strict=False)))
        return self.call(taken[arg:], taken[:arg], keywords, given)

    def call(
        self,
        callee: Sequence[Value],
        args: Sequence[Value],
        keywords: Sequence[str],
        given: Given,
    ) -> Value:
        what = next((one.what for one in callee if one.what is not None), None)
        own = self.own_call(what, args, given)
        if own is not None:
            return own
        if isinstance(what, Method):
            name: str | None = f".{what.name}"
            if what.name in ("append", "insert"):
                self.hands_out(args)
            self.seen.call((id(self.code), self.at), (name, name), args, given)
        else:
            name = None if what is None else name_of(what)
            self.seen.call((id(self.code), self.at), (name, what), args, given)
        if given.others:  # whose names may be written down anywhere in the function
            self.makes_writers |= any(map(_names_writer, self.constants))
        if name == "getattr":
            return self.named_attribute(args)
        value = self.result(name, what, callee, args, keywords)
        if returns_iterator(name, what, keywords, self.iterates):
            return value._replace(what=ITERATOR)
        if isinstance(what, type) and name and name.startswith("sklearn.model_selection."):
            return value._replace(what=Made(what))
        return value

    def named_attribute(self, args: Sequence[Value]) -> Value:
        """Return what ``getattr(value, name, *default)`` does; the last argument comes first."""
        name = args[-2].what if len(args) > 1 else None
        if isinstance(name, str):
            found = self.attribute(args[-1], name)
            return found if len(args) == 2 else either(found, args[0])
        return self.element(args)._replace(what=DYNAMIC)

    def result(
        self,
        name: str | None,
        what: Any,
        callee: Sequence[Value],
        args: Sequence[Value],
        keywords: Sequence[str],
    ) -> Value:
        """Return what a call may return, and note what it may change."""
        given, count = union(args), len(args) - len(keywords) + isinstance(what, Method)
        if isinstance(what, Method) and isinstance(what.receiver.what, type):  # list.append(x, 1)
            what = Method(what.name, Value(given, given))
        if name is not None:
            keywords = (*keywords, *parameters(what, count))
        others = [keyword for keyword in keywords if keyword != "inplace"]
        calls = may_call(name, what)
        if writes(name, what, count, others) or (calls and self.hands_to_editor(args)):
            self.changed |= given | (what.receiver.all if isinstance(what, Method) else NOTHING)
        if isinstance(what, Method):
            if "inplace" in keywords:
                self.changed |= what.receiver.own
            value = self.method(what, args)
            aliases = any(one.startswith("copy") for one in keywords)
            return either(value, Value(what.receiver.own)) if aliases else value
        if isinstance(what, types.CodeType):  # a nested function: see `nested`
            reached = given | union(callee) | self.stored
            return Value(reached, reached)
        self.makes_writers |= any(one.startswith(_WRITER) for one in keywords)
        if is_users_estimator(what):  # whose constructor was looked at
            self.makes_writers = True
            return Value(NOTHING, given)
        if name is not None and (is_pure(name, what) or name in READERS):
            if name == "builtins.type":
                return Value(CLASS, given)
            if name.startswith("sklearn.model_selection."):
                self.fits |= given
            copies = not any(one.startswith("copy") for one in keywords)
            held = _in_result(args)
            if name in VIEWS or name in _ELEMENTS_OF or not copies:
                return Value(held | self.stored, held | self.stored)
            return Value(NOTHING, held)
        inner = self.known(what) if isinstance(what, types.FunctionType) else None
        if inner is None or inner.mutates:
            self.changed |= given
        self.seen.hands |= inner is not None and inner.hands
        if inner is None or inner.fits:
            self.fits |= given
        reached = given | self.stored | from_elsewhere(inner, what)
        return Value(reached, reached)

    def hands_to_editor(self, args: Iterable[Value]) -> bool:
        """Tell whether a call is given a function that may change what it is called with."""
        for one in args:
            if isinstance(one.what, Method) and one.what.name not in PURE_METHODS:
                return True
            if isinstance(one.what, types.FunctionType) and name_of(one.what) is None:
                inner = self.known(one.what)
                if inner is None or inner.mutates:
                    return True
        return False

    def iterates(self, what: Any) -> bool:
        """Tell whether a function of the user returns an iterator."""
        if isinstance(what, types.FunctionType):
            inner = self.known(what)
            return inner is not None and inner.iterates
        return isinstance(what, types.CodeType) and what in self.iterating

    def method(self, method: Method, args: Sequence[Value]) -> Value:
        name, receiver = method
        self.seen.method(name)
        given = union(args)
        reached = receiver.all | given
        if name in MUTATING_METHODS:
            self.changed |= receiver.own
            self.stored |= given
            if name in FITTING:
                self.fits |= receiver.all
                if self.makes_writers:
                    self.changed |= given
            return Value(reached | self.stored, reached | self.stored)
        if name in TRANSFORMING and self.makes_writers:
            self.changed |= given
        if name in TWO_MEANINGS:
            self.changed |= receiver.own
            self.stored |= given
        if name in PURE_METHODS and f".{name}" not in VIEWS and name not in _ELEMENTS:
            return Value(NOTHING, _in_result([receiver, *args]))
        if receiver.what is FLAT and name in PURE_METHODS:
            return Value(self.stored, self.stored)
        if name not in PURE_METHODS and name not in LOGGING and name not in ("eval", "query"):
            self.changed |= reached
        return Value(reached | self.stored, reached | self.stored)


def _in_result(args: Iterable[Value]) -> Origins:
    """Return what may be in the result of a library's call: what it is given is taken apart."""
    return union(one for one in args if one.what is not FLAT)


def _takes_any(callee: Iterable[Value]) -> bool:
    """Tell whether a call writes into nothing, whatever its keywords are."""
    kinds = (one.what for one in callee)
    return any(
        isinstance(one, type) or (isinstance(one, Method) and one.name in ("assign", "fit"))
        for one in kinds
    )


def _names_writer(constant: Any) -> bool:
    if isinstance(constant, tuple):
        return any(map(_names_writer, constant))
    return isinstance(constant, str) and constant.startswith(_WRITER)
