"""Instructions, interpreted over *origins*.

For each value on the stack and in each variable: which parameters (or globals) it may be, and which
may be reached from it.
"""

from __future__ import annotations

import dis
import logging
import sys
import types
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from stratum_dask.bytecode.bindings import holds_value, is_constant
from stratum_dask.bytecode.flow import Flow
from stratum_dask.bytecode.origins import (
    CLASS,
    FLAT,
    FRESH,
    GLOBAL,
    ITERATOR,
    NOTHING,
    UNKNOWN,
    Keywords,
    Method,
    Origins,
    Super,
    Value,
    either,
    union,
)

_STORES = ("STORE_SUBSCR", "STORE_ATTR", "STORE_SLICE", "DELETE_SUBSCR", "DELETE_ATTR")


class Machine(Flow):
    """The stack and the variables of a function, as far as they can be known.

    Parameters
    ----------
    code : code
    lookup : callable
        Gives the value of a global or closure variable; raises ``KeyError`` if there is none.

    Attributes
    ----------
    stored : frozenset of str
        The origins of what has been put into some container.
    changed : frozenset of str
        The origins of what may have been changed.
    returned : frozenset of str
        The origins of what may be returned, what has been stored apart.
    at : int
        The offset of the instruction.
    keywords : tuple of str
        Those of the next call, where an instruction of its own names them.
    """

    def __init__(self, code: types.CodeType, lookup: Callable[[str], Any]) -> None:
        super().__init__(code)
        self.code, self.lookup = code, lookup
        self.free = frozenset(code.co_freevars)
        self.constants = code.co_consts
        self.stored: Origins = NOTHING
        self.changed: Origins = NOTHING
        self.returned: Origins = NOTHING
        self.at = 0
        self.keywords: tuple[str, ...] = ()

    @abstractmethod
    def calls(self, op: str, arg: int, effect: int, stack: list[Value]) -> Value:
        """Apply a call, and return what it may return."""

    @abstractmethod
    def stores(self, op: str, stack: list[Value]) -> None:
        """Apply an assignment to an item or attribute."""

    @abstractmethod
    def nested(self, taken: Sequence[Value]) -> Value:
        """Return a function that is made of these, the last first."""

    @abstractmethod
    def hands_out(self, values: Iterable[Value]) -> None:
        """Note that values are returned, or put into what may be."""

    def step(self, instruction: dis.Instruction, stack: list[Value]) -> None:
        """Apply an instruction."""
        op, arg, name = instruction.opname, instruction.arg or 0, instruction.argval
        self.at = instruction.offset
        effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=False)
        if op.startswith(("LOAD_FAST", "STORE_FAST")):
            self.locals(op, name if isinstance(name, tuple) else (name,), stack)
        elif op == "LOAD_CLOSURE":
            stack.append(self.ever.get(name, UNKNOWN if name in self.free else FRESH))
        elif op in ("LOAD_DEREF", "STORE_DEREF") and name not in self.free:
            self.locals(op, (name,), stack)
        elif op in ("LOAD_CONST", "LOAD_SMALL_INT"):
            stack.append(Value(what=name))
        elif op in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"):
            stack += [FRESH] * (effect - 1)  # NULL
            stack.append(self.outside(name))
        elif op in ("LOAD_ATTR", "LOAD_METHOD"):
            receiver = stack.pop()
            stack.append(self.attribute(receiver, str(name)))
            stack += [receiver._replace(what=None)] * effect
        elif op.startswith("LOAD_SUPER"):
            own, owner, _ = stack.pop(), stack.pop(), stack.pop()
            receiver = own._replace(what=Super(owner.what))
            stack.append(self.attribute(receiver, str(name)))
            stack += [own._replace(what=None)] * (effect + 2)
        elif op == "PRECALL":
            pass  # CALL does it all
        elif op == "KW_NAMES":
            self.keywords = self.constants[arg]
        elif op in ("CALL", "CALL_KW", "CALL_FUNCTION_EX"):
            stack.append(self.calls(op, arg, effect, stack))
        elif op in _STORES:
            self.stores(op, stack)
        elif op == "BINARY_OP" and instruction.argrepr != "[]":
            right, left = stack.pop(), stack.pop()
            in_place = instruction.argrepr.endswith("=")
            if in_place:
                self.changed |= left.own
            stack.append(Value(left.own if in_place else NOTHING, left.all | right.all))
        elif op == "FOR_ITER":
            stack.append(self.element(stack[-1:]))
        elif op in ("BINARY_SUBSCR", "BINARY_SLICE", "GET_ITER", "BINARY_OP"):
            taken = [stack.pop() for _ in range(1 - effect)]
            stack.append(self.element(taken[-1:]))
        elif op == "UNPACK_SEQUENCE":
            stack += [self.element([stack.pop()])] * arg
        elif op == "MAKE_FUNCTION":
            stack.append(self.nested([stack.pop() for _ in range(1 - effect)]))
        elif op.startswith("BUILD_"):
            taken = [stack.pop() for _ in range(1 - effect)]
            value = Value(NOTHING, union(taken), _keywords(op, taken))
            stack.append(_holding(value, taken))
        elif op == "DICT_MERGE":  # for the keywords of a call
            parts = stack.pop(), stack.pop()
            known = [one.what for one in parts if isinstance(one.what, Keywords)]
            added = [one.what for one in parts if not isinstance(one.what, Keywords)]
            written = chain.from_iterable(one.values for one in known)
            added += chain.from_iterable(one.added for one in known)
            stack.append(Value(NOTHING, union(parts), Keywords(tuple(written), tuple(added))))
        elif op in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
            del stack[-2:]
            stack.append(FRESH)
        elif op.startswith("UNARY_") or op == "FORMAT_VALUE":
            del stack[len(stack) - 1 + effect :]
            stack.append(FRESH)
        elif op == "COPY":
            stack.append(stack[-arg])
        elif op == "SWAP":
            stack[-1], stack[-arg] = stack[-arg], stack[-1]
        elif op in ("PUSH_NULL", "LOAD_ASSERTION_ERROR", "RETURN_GENERATOR"):
            stack.append(FRESH)
        elif op in ("LIST_APPEND", "SET_ADD", "MAP_ADD"):  # of comprehensions, to what they make
            taken = [stack.pop() for _ in range(-effect)]
            made = stack[-arg]
            stack[-arg] = _holding(made._replace(inner=made.inner | union(taken)), taken)
        elif op in ("RERAISE", "RAISE_VARARGS"):
            del stack[len(stack) + effect :]
        elif op == "IMPORT_FROM":
            stack.append(self.global_(name, getattr(stack[-1].what, name, None)))
        elif op == "IMPORT_NAME":
            named, _ = stack.pop(), stack.pop()
            module = name if named.what else name.partition(".")[0]
            stack.append(Value(what=sys.modules.get(module)))
        elif op == "RETURN_VALUE":
            self.returned |= stack[-1].all
            self.hands_out([stack.pop()])
        elif op.startswith(("POP_", "END_FOR")):
            del stack[len(stack) + effect :]
        else:
            self.anything_else(effect, stack)

    def anything_else(self, effect: int, stack: list[Value]) -> None:
        """Apply an instruction of which only the number of values is known."""
        if effect >= 0:
            stack += [UNKNOWN] * effect
            return
        taken = union([stack.pop() for _ in range(-effect)])
        self.stored |= taken  # into a list, say
        if stack:
            stack[-1] = either(stack[-1], Value(taken, taken))

    def locals(self, op: str, names: Sequence[str], stack: list[Value]) -> None:
        """Load and store variables."""
        if op == "STORE_FAST_LOAD_FAST":
            self.store(names[0], stack.pop())
            stack.append(self.variables.get(names[1], FRESH))
        elif op.startswith("STORE"):
            for name in names:
                self.store(name, stack.pop())
        else:
            stack += [self.variables.get(name, FRESH) for name in names]

    def store(self, name: str, value: Value) -> None:
        """Store a variable."""
        if isinstance(value.what, Keywords):  # a dict, which may change
            value = value._replace(what=None)
        self.variables[name] = value
        self.ever[name] = either(self.ever.get(name, value), value)

    def outside(self, name: str) -> Value:
        """Return what a global or closure variable is."""
        try:
            value = self.lookup(name)
        except KeyError:
            return UNKNOWN
        return self.global_(name, value)

    @staticmethod
    def global_(name: str, value: Any) -> Value:
        """Return what a value is that others see under a name."""
        if isinstance(value, types.ModuleType | logging.Logger) or callable(value):
            return Value(what=value)
        if is_constant(value):
            return Value(what=value)
        origin = frozenset([GLOBAL + name])
        return Value(origin, origin, FLAT if _is_flat(value) else None)

    def attribute(self, receiver: Value, name: str) -> Value:
        """Return what an attribute may be."""
        if isinstance(receiver.what, types.ModuleType):
            return Value(what=getattr(receiver.what, name, None))
        if isinstance(receiver.what, type) and holds_value(receiver.what, name):
            return self.global_(f"{receiver.what.__name__}.{name}", getattr(receiver.what, name))
        reached = receiver.all | self.stored
        if name == "__class__":
            reached |= CLASS
        return Value(reached, reached, Method(name, receiver))

    def element(self, of: Iterable[Value]) -> Value:
        """Return what an element of a value may be."""
        reached = union(one for one in of if one.what is not FLAT) | self.stored
        return Value(reached, reached)


def _is_flat(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(is_constant, value.values()))
    return isinstance(value, list | set) and all(map(is_constant, value))


def _keywords(op: str, taken: Sequence[Value]) -> Keywords | None:
    """Return what a dict holds that is written out, the last first, as keywords of a call."""
    names: Sequence[Any] = ()
    if op == "BUILD_CONST_KEY_MAP":
        names, taken = tuple(reversed(taken[0].what)), taken[1:]
    elif op == "BUILD_MAP":
        names, taken = [key.what for key in taken[1::2]], taken[::2]
    else:
        return None
    return Keywords(tuple((n, v) for n, v in zip(names, taken, strict=True) if isinstance(n, str)))


def _holding(value: Value, parts: Iterable[Value]) -> Value:
    """Return a new container's value, which is no better than an iterator if it holds one."""
    held = any(one.what is ITERATOR for one in parts)
    return value._replace(what=ITERATOR) if held else value
