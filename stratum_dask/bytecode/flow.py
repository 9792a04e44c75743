"""Following values through a function's bytecode, branch by branch, until nothing changes."""

from __future__ import annotations

import dis
import inspect
import types
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from stratum_dask.bytecode.origins import FRESH, UNKNOWN, Parameter, Value, either

_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_")


class Lost(Exception):
    """The bytecode is not what we understand."""


class State(NamedTuple):
    """What is known before an instruction."""

    stack: list[Value]
    variables: dict[str, Value]

    def copy(self) -> State:
        """Return a state that changes by itself."""
        return State(list(self.stack), dict(self.variables))


class Flow(ABC):
    """A walk over the instructions of a function that joins what is known at their targets.

    Parameters
    ----------
    code : code
        Of a function without generators.

    Attributes
    ----------
    stack, variables
        What is known before the instruction that is looked at.
    ever : dict of str to Value
        All that a variable is anywhere.
    """

    def __init__(self, code: types.CodeType) -> None:
        self.instructions = list(dis.get_instructions(code))
        named = code.co_argcount + code.co_kwonlyargcount
        count = (
            named
            + bool(code.co_flags & inspect.CO_VARARGS)
            + bool(code.co_flags & inspect.CO_VARKEYWORDS)
        )
        self.parameters = {
            name: Value(
                frozenset([name]), frozenset([name]), Parameter(name) if i < named else None
            )
            for i, name in enumerate(code.co_varnames[:count])
        }
        self.ever = dict(self.parameters)
        self.handlers = {
            entry.target: [UNKNOWN] * (entry.depth + entry.lasti + 1)
            for entry in dis.Bytecode(code).exception_entries  # type: ignore[attr-defined]
        }
        self.joined: dict[int, State] = {}

    @abstractmethod
    def step(self, instruction: dis.Instruction, stack: list[Value]) -> None:
        """Apply an instruction."""

    @property
    @abstractmethod
    def found(self) -> Any:
        """What has been found, which only grows."""

    def run(self) -> None:
        """Walk until nothing changes.

        Raises
        ------
        Lost
            If there is no end to it.
        """
        for _ in range(30):
            before = dict(self.joined), dict(self.ever), self.found
            self._once()
            if before == (self.joined, self.ever, self.found):
                return
        raise Lost

    def _once(self) -> None:
        state: State | None = State([], dict(self.parameters))
        for instruction in self.instructions:
            offset = instruction.offset
            if offset in self.handlers:
                state = State(list(self.handlers[offset]), dict(self.ever))
            elif offset in self.joined:
                state = self._join(offset, state)
            if state is None:
                continue
            self.stack, self.variables = state
            if instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs:
                self._join(int(instruction.argval), self._after_jump(instruction, state.copy()))
            self.step(instruction, state.stack)
            if instruction.opname.startswith(_ENDS):
                state = None

    def _join(self, offset: int, state: State | None) -> State:
        known = self.joined.get(offset)
        if known is None or state is None:
            found = known if state is None else state
            assert found is not None
        elif len(known.stack) != len(state.stack):
            raise Lost
        else:
            names = known.variables.keys() | state.variables.keys()
            find, other = known.variables.get, state.variables.get
            found = State(
                [either(one, two) for one, two in zip(known.stack, state.stack, strict=True)],
                {name: either(find(name, FRESH), other(name, FRESH)) for name in names},
            )
        self.joined[offset] = found.copy()
        return found.copy()

    @staticmethod
    def _after_jump(instruction: dis.Instruction, state: State) -> State:
        effect = dis.stack_effect(instruction.opcode, instruction.arg, jump=True)
        if effect < 0:
            del state.stack[effect:]
        state.stack.extend([UNKNOWN] * effect)
        return state
