"""What the instructions around a call say of its arguments: paths, seeds, iterators."""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import PurePath
from typing import Any

from stratum_dask.bytecode.effects import Path
from stratum_dask.semantics import uses_randomness

_PASSING = ("LOAD_", "KW_NAMES", "BUILD_LIST", "BUILD_MAP", "BUILD_CONST", "BUILD_TUPLE", "LIST_")
_DECIDING = frozenset({"shuffle", "solver", "selection", "svd_solver", "probability"})


def path_read(
    func: types.FunctionType,
    instructions: Sequence[dis.Instruction],
    at: int,
    bound: Callable[[dis.Instruction], Any],
) -> Path | None:
    """Return the path that a reader gets: its first argument, plainly loaded.

    Parameters
    ----------
    func : function
    instructions : sequence
        Of the code that calls the reader.
    at : int
        Where the first argument is loaded.
    bound : callable
        Gives the global or closure value that an instruction loads.

    Returns
    -------
    Path or None
        None if the path is not known before the function runs.
    """
    path = instructions[at]
    passed = takewhile(lambda i: not i.opname.startswith("CALL"), instructions[at + 1 :])
    if not all(i.opname.startswith(_PASSING) and i.opname != "LOAD_ATTR" for i in passed):
        return None
    name = path.argval
    if not isinstance(name, str):
        return None
    if path.opname == "LOAD_CONST":
        return Path(value=name)
    if path.opname.startswith("LOAD_FAST"):
        stored = any(i.opname.startswith("STORE_FAST") and i.argval == name for i in instructions)
        if stored or name not in inspect.signature(func).parameters:
            return None
        loads = sum(name in _as_tuple(i.argval) for i in instructions)
        return Path(parameter=name, only_read=loads == 1)
    value = bound(path)
    return Path(value=str(value)) if isinstance(value, str | PurePath) else None


def seeds(
    names: Sequence[Any],
    before: Sequence[dis.Instruction],
    parameters: Sequence[str],
    bound: Callable[[dis.Instruction], Any],
) -> Iterator[int | str]:
    """Yield the seeds among a call's keywords: ints, and names of parameters that must be ints.

    Parameters
    ----------
    names : sequence of str
        The keywords, whose values the last instructions load.
    before : sequence
        The instructions before the call.
    parameters : sequence of str
        What the function's caller passes.
    bound : callable
        Gives the global or closure value that an instruction loads.
    """
    for index, name in enumerate(names):
        if name not in ("random_state", "seed"):
            continue
        value = before[index - len(names)]
        constant = value.opname in ("LOAD_CONST", "LOAD_SMALL_INT")
        given = value.argval if constant else bound(value)
        if isinstance(given, int):
            yield given
        elif value.opname.startswith("LOAD_FAST") and value.argval in parameters:
            yield value.argval


def may_draw(kind: type, code: types.CodeType) -> bool:
    """Tell whether an object of this class may draw randomness as some code makes it."""
    if "random_state" not in inspect.signature(kind).parameters:
        return False
    if any(not _DECIDING.isdisjoint(names) for names in _tuples_of_names(code)):
        return True
    try:
        return uses_randomness(kind())
    except TypeError:  # has required arguments, as meta-estimators do
        return True


def returns_iterator(before: Sequence[dis.Instruction]) -> bool:
    """Tell whether a generator expression is returned as it is, from what comes before."""
    before = before[-8:]
    made = [i for i, one in enumerate(before) if one.argval.__class__ is types.CodeType]
    return bool(
        made
        and before[made[-1]].argval.co_name == "<genexpr>"
        and before[-1].opname == "CALL"
        and not any(one.opname == "CALL" for one in before[made[-1] : -1])
    )


def _tuples_of_names(code: types.CodeType) -> Iterator[tuple[str, ...]]:
    """Yield the constants that may be keywords of calls, of nested functions too."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _tuples_of_names(constant)
        elif isinstance(constant, tuple) and all(isinstance(c, str) for c in constant):
            yield constant


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
