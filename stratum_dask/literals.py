"""Literals as bytes: equal bytes, equal values that no code can tell apart.

Types are part of the encoding (``True``, ``1`` and ``1.0`` differ), NaN equals itself, ``-0.0``
and ``0.0`` differ, sets have no order and dicts have theirs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

Slow = Callable[[Any], bytes | None]


class Unknown(Exception):
    """A value or call cannot be identified; the message says why."""


def digest(data: bytes) -> bytes:
    """Return the 16-byte hash that all tokens are.

    Examples
    --------
    >>> len(digest(b"text"))
    16
    """
    return blake2b(data, digest_size=16).digest()


def encode(value: Any, slow: Slow = lambda _: None) -> bytes | None:
    """Encode a literal.

    Parameters
    ----------
    value : object
    slow : callable
        Asked for values of other types; None from it means that they cannot be identified.

    Returns
    -------
    bytes or None
        None if the value cannot be identified. Short values are written out, long ones hashed.

    Examples
    --------
    >>> encode(1) == encode(1.0), encode(float("nan")) == encode(float("nan"))
    (False, True)
    """
    plain = PLAIN.get(type(value))
    if plain is not None:
        return plain(value)
    nested = _NESTED.get(type(value))
    if nested is not None:
        return nested(value, slow)
    special = slow(value)
    return special if special is not None else _other(value, slow)


def _framed(tag: bytes, data: bytes) -> bytes:
    """Make a byte string whose end can be told from what follows."""
    if len(data) > 64:
        return tag + b"#" + digest(data)
    return tag + b"%d:" % len(data) + data


PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda v: b"0",
    bool: lambda v: b"t" if v else b"f",
    int: lambda v: b"i%d;" % v,
    float: lambda v: b"d" + (struct.pack("<d", v) if v == v else b"nan_____"),
    complex: lambda v: b"z" + struct.pack("<dd", v.real, v.imag),
    str: lambda v: _framed(b"s", v.encode("utf-8", "surrogatepass")),
    bytes: lambda v: _framed(b"b", v),
    bytearray: lambda v: _framed(b"B", bytes(v)),
    Ellipsis.__class__: lambda v: b"...",
    range: lambda v: b"r%d,%d,%d;" % (v.start, v.stop, v.step),
}


def _items(tag: bytes, items: Any, slow: Slow, order: bool = True) -> bytes | None:
    parts = []
    for item in items:
        part = encode(item, slow)
        if part is None:
            return None
        parts.append(part)
    if not order:
        parts.sort()
    return _framed(tag, b"%d," % len(parts) + b"".join(parts))


def _array(value: np.ndarray, slow: Slow) -> bytes | None:
    order = b"F" if value.flags.f_contiguous and not value.flags.c_contiguous else b"C"
    head = repr((value.dtype.descr if value.dtype.names else value.dtype.str, value.shape))
    # Strides and writeability can be told, and change the bits of what is computed.
    head += f"{value.flags.c_contiguous}{value.flags.f_contiguous}{value.flags.writeable}"
    if value.dtype.hasobject:
        cells = _items(b"o", value.ravel(order="K").tolist(), slow)
        return None if cells is None else b"A" + digest(order + head.encode() + cells)
    hasher = blake2b(order + head.encode(), digest_size=16)
    hasher.update(
        np.ascontiguousarray(value.T if order == b"F" else value).view(np.uint8).data
        if value.size and value.dtype.itemsize
        else b""
    )
    return b"A" + hasher.digest()


_NESTED: dict[type, Callable[[Any, Slow], bytes | None]] = {
    tuple: lambda v, slow: _items(b"(", v, slow),
    list: lambda v, slow: _items(b"[", v, slow),
    set: lambda v, slow: _items(b"{", v, slow, order=False),
    frozenset: lambda v, slow: _items(b"<", v, slow, order=False),
    dict: lambda v, slow: _items(b"m", [x for item in v.items() for x in item], slow),
    slice: lambda v, slow: _items(b":", (v.start, v.stop, v.step), slow),
    np.ndarray: _array,
}


def _frame(value: Any, slow: Slow) -> bytes | None:
    columns = [value.iloc[:, i].array for i in range(value.shape[1])]
    layout = [
        (b.mgr_locs.as_array.tolist(), b.values.flags.c_contiguous)
        for b in value._mgr.blocks
        if isinstance(b.values, np.ndarray)
    ]
    return _items(
        b"DF",
        [
            value.index,
            value.columns,
            columns,
            value.attrs,
            layout,
            value.flags.allows_duplicate_labels,
        ],
        slow,
    )


def _other(value: Any, slow: Slow) -> bytes | None:
    kind = type(value)
    tag = f"{kind.__module__}.{kind.__qualname__}|".encode()
    if kind is pd.DataFrame:
        return _frame(value, slow)
    if kind is pd.Series:
        return _items(b"SE", [value.index, value.name, value.array, value.attrs], slow)
    if isinstance(value, pd.MultiIndex):
        return _items(
            b"MI", [list(value.names), list(value.levels), list(map(np.asarray, value.codes))], slow
        )
    if isinstance(value, pd.RangeIndex):
        return _items(b"RI", [value.start, value.stop, value.step, value.name], slow)
    if isinstance(value, pd.Index):
        freq = str(getattr(value, "freq", None))
        return _items(b"IX" + tag, [list(value.names), freq, value.array], slow)
    if isinstance(value, pd.Categorical):
        return _items(b"CA", [value.categories, np.asarray(value.codes), value.ordered], slow)
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _extension(value, slow)
    if isinstance(value, np.dtype | pd.api.extensions.ExtensionDtype):
        return _framed(b"dt" + tag, repr(value).encode())
    if isinstance(value, np.generic):
        return b"g" + value.dtype.str.encode() + value.tobytes()
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        return _framed(
            tag, repr((value.isoformat(), value.unit, str(getattr(value, "tz", None)))).encode()
        )
    if kind in (date, datetime, time, timedelta, Decimal, Fraction) or isinstance(value, PurePath):
        return _framed(tag, repr(value).encode())
    if isinstance(value, Enum):
        return _framed(b"en" + tag, value.name.encode())
    if value is pd.NA or value is pd.NaT:
        return tag
    if issparse(value):
        arrays = [
            getattr(value, name, None)
            for name in ("data", "indices", "indptr", "row", "col", "offsets")
        ]
        return _items(b"sp" + tag, [value.shape, *arrays], slow)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _items(b"nt" + tag + repr(value._fields).encode(), tuple(value), slow)
    return None


def _extension(value: Any, slow: Slow) -> bytes | None:
    dtype = repr(value.dtype)
    if isinstance(value, pd.arrays.NumpyExtensionArray):
        return _items(b"NE", [dtype, value.to_numpy()], slow)
    if hasattr(value, "_mask") and hasattr(value, "_data"):
        # What lies under a missing value cannot be seen.
        data = np.where(value._mask, np.zeros(1, value._data.dtype), value._data)
        return _items(b"MA", [dtype, data, value._mask.copy()], slow)
    if hasattr(value, "asi8"):
        return _items(b"DT", [dtype, value.asi8], slow)
    if dtype.startswith(("str", "string", "<StringDtype", "string[")):
        cells = value.to_numpy(dtype=object).tolist()
        return _items(
            b"ST", [dtype, ["" if c is pd.NA or c != c else "+" + c for c in cells]], slow
        )
    return None
