"""What the instructions around a call of a reader say of its path."""

from __future__ import annotations

import dis
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile
from pathlib import PurePath
from typing import Any

from stratum_dask.bytecode.effects import Path

_PASSING = ("LOAD_", "KW_NAMES", "BUILD_LIST", "BUILD_MAP", "BUILD_CONST", "BUILD_TUPLE", "LIST_")
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


def path_read(
    parameters: Collection[str],
    instructions: Sequence[dis.Instruction],
    at: int,
    bound: Callable[[dis.Instruction], Any],
) -> Path | None:
    """Return the path that a reader gets: its first argument, plainly loaded.

    Parameters
    ----------
    parameters : collection of str
        Of the function, as far as the instructions are its own.
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
    if not all(i.opname.startswith(_PASSING) and i.opname not in _ATTRIBUTES for i in passed):
        return None
    name = path.argval
    if not isinstance(name, str):
        return None
    if path.opname == "LOAD_CONST":
        return Path(value=name)
    if path.opname.startswith("LOAD_FAST"):
        stored = any(i.opname.startswith("STORE_FAST") and i.argval == name for i in instructions)
        if stored or name not in parameters:
            return None
        loads = sum(i.argval == name for i in instructions)
        return Path(parameter=name, only_read=loads == 1)
    value = bound(path)
    return Path(value=str(value)) if isinstance(value, str | PurePath) else None
