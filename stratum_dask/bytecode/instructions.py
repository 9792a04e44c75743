"""The instructions of some code, as far as they matter, in one form for all versions of Python."""

from __future__ import annotations

import dis
import re
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from stratum_dask.bytecode.bindings import MISSING


def instructions_of(code: types.CodeType) -> Iterator[dis.Instruction]:
    """Yield what matters of some code, one by one also what Python 3.13 does two at a time."""
    closures = {*code.co_cellvars, *code.co_freevars}
    for one in dis.get_instructions(code):
        pair = _PAIR.fullmatch(one.opname)
        names = one.argval if pair else (one.argval,)
        for op, name in zip(pair.groups() if pair else (one.opname,), names, strict=True):
            handed_on = op == "LOAD_FAST" and name in closures  # LOAD_CLOSURE before 3.13
            if op not in _IGNORED and not handed_on:
                yield one._replace(opname=op, argval=name)


def imported_by(
    instructions: Sequence[dis.Instruction], at: int
) -> tuple[int, dict[str, Any] | None]:
    """Return what an import statement binds; it ran before, or it is unknown.

    Parameters
    ----------
    instructions : sequence
    at : int
        Where the module is imported.

    Returns
    -------
    (int, dict or None)
        The position after it, and values by the names that they get; None if the module is not
        loaded.
    """
    name, names = str(instructions[at].argval), instructions[at - 1].argval
    value: Any = sys.modules.get(name)
    at += 1
    if value is None:
        return at, None
    found: dict[str, Any] = {}
    if names is not None:  # from name import names
        while instructions[at].opname == "IMPORT_FROM" and at + 1 < len(instructions):
            of = str(instructions[at].argval)
            found[str(instructions[at + 1].argval)] = getattr(value, of, MISSING)
            at += 2
        return at, found
    value = sys.modules.get(name.partition(".")[0])  # import name [as ...]
    while instructions[at].opname in ("IMPORT_FROM", "SWAP", "POP_TOP"):
        if instructions[at].opname == "IMPORT_FROM":
            value = getattr(value, str(instructions[at].argval), MISSING)
        at += 1
    if instructions[at].opname.startswith("STORE_"):
        found[str(instructions[at].argval)] = value
        at += 1
    return at, found


_PAIR = re.compile(r"((?:LOAD|STORE)_FAST\w*)_((?:LOAD|STORE)_FAST\w*)")
_IGNORED = frozenset(
    {"RESUME", "PUSH_NULL", "NOP", "PRECALL", "COPY_FREE_VARS", "MAKE_CELL", "CACHE"}
)
