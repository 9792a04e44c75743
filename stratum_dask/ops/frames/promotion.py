"""The dtypes in which the operands of an operator meet, and the name of what it returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from stratum_dask.ops.frames.builder import promote
from stratum_dask.ops.frames.symbols import DTYPES, Unsupported

ARITHMETIC = frozenset({"add", "sub", "mul", "truediv", "floordiv", "mod", "pow"})
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
LOGIC = frozenset({"and", "or", "xor"})


def common_dtype(op: str, left: str, right: str) -> str:
    """Return the dtype in which two columns meet."""
    dtype = promote(left, right)
    if op == "truediv" and dtype[0] != "f":
        if left == right == "bool":
            raise Unsupported("bool operands")
        return "f64"
    if op in COMPARISONS and dtype[0] == "f" and left[0] in "iu" and right[0] in "iu":
        raise Unsupported("int64 against uint64")
    if op in ARITHMETIC and dtype == "bool":
        raise Unsupported("bool operands")
    if op in LOGIC and (dtype[0] == "f" or (dtype != "bool" and "bool" in (left, right))):
        raise Unsupported("dtype")
    if op == "pow" and left != right:
        raise Unsupported("mixed dtypes")
    return dtype


def dtype_with(op: str, column: str, scalar: Any) -> str:
    """Return the dtype in which a column and a Python number meet."""
    integer = isinstance(scalar, (int, np.integer))
    if op in LOGIC:
        if column[0] not in "iu" or not integer:
            raise Unsupported("dtype")
        if isinstance(scalar, np.generic) and scalar.dtype != DTYPES[column]:
            raise Unsupported("mixed dtypes")  # here a NumPy scalar counts with its own dtype
    if column[0] == "f":
        return column
    if not integer or op == "truediv":
        if op == "pow":
            raise Unsupported("mixed dtypes")
        return "f64"
    if column == "bool":
        if op == "pow":
            raise Unsupported("bool operands")
        return "i64"
    return column


def common_name(left: Any, right: Any) -> Any:
    """Return the name of a result of two Series."""
    if left is None or right is None:
        return None
    if type(left) is not type(right) or type(left) not in (str, int, np.float64):
        raise Unsupported("name is neither str nor number")
    if left != left:
        raise Unsupported("NaN as a name")
    return left if left == right else None
