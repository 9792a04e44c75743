"""Values as bytes and back, exactly: what comes back cannot be told from what was kept.

pickle's protocol 5 carries a value's structure, and beside it the memory of its arrays as it is:
blocks of frames with their layout, labels, attributes, missing kinds, random states. What pickle
would lose is carried too (strides, memory that is read-only, the identity of NaN); what would not
come back as it was is refused.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pandas.core.internals.blocks import Block

from stratum_dask.semantics import of_library

_MOST_GAPS = 4
"""Arrays with gaps between their numbers are kept if they span at most this many times theirs."""

_NAN = {"numpy": np.nan, "math": math.nan}
_NAMES = {id(value): name for name, value in _NAN.items()}


_ASIDE = "?biufcUS"
"""Kinds of arrays whose memory NumPy hands over as it is."""


class Refused(Exception):
    """A value is not kept, since it would not come back as it was; the message says why."""


class Encoded(NamedTuple):
    """A value as bytes.

    Attributes
    ----------
    structure : bytes
        Its pickle.
    buffers : sequence of memoryview
        The memory of its arrays: that of the value itself, not copied.
    """

    structure: bytes
    buffers: Sequence[memoryview]

    @property
    def nbytes(self) -> int:
        """The size of all of it."""
        return len(self.structure) + sum(buffer.nbytes for buffer in self.buffers)

    def snapshot(self) -> Encoded:
        """Return a copy that stays as it is when the value is changed."""
        copies = []
        for buffer in self.buffers:
            copy = np.array(buffer, copy=True).data
            copies.append(copy.toreadonly() if buffer.readonly else copy)
        return Encoded(self.structure, copies)


def encode(value: Any) -> Encoded:
    """Write a value as bytes.

    Parameters
    ----------
    value : object
        Of types that Python, installed distributions or this package define.

    Returns
    -------
    Encoded

    Raises
    ------
    Refused
        If it would not come back as it was.

    Examples
    --------
    >>> structure, buffers = encode({"a": np.arange(3)})
    >>> decode(structure, buffers)
    {'a': array([0, 1, 2])}
    """
    out, buffers = io.BytesIO(), []

    def aside(buffer: pickle.PickleBuffer) -> None:
        buffers.append(buffer.raw())

    try:
        _Pickler(out, aside).dump(value)
    except Refused:
        raise
    except Exception as error:  # objects may raise anything when they are asked for their state
        raise Refused(f"cannot be pickled: {type(error).__name__}: {error}") from None
    return Encoded(out.getvalue(), buffers)


def decode(structure: bytes | memoryview, buffers: Sequence[memoryview]) -> Any:
    """Return the value of bytes that :func:`encode` wrote, which must have been authenticated.

    Parameters
    ----------
    structure : bytes-like
    buffers : sequence of memoryview
        What the value's arrays will lie in; read-only where the original was.
    """
    return _Unpickler(io.BytesIO(structure), buffers=buffers).load()


class _Pickler(pickle.Pickler):
    def __init__(self, out: io.BytesIO, aside: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(out, protocol=5, buffer_callback=aside)
        self._known: set[type] = set()

    def persistent_id(self, obj: Any) -> str | None:
        kind = type(obj)
        if kind is float:
            # A set or a Counter tells one NaN from another by identity.
            return _NAMES.get(id(obj))
        if kind in (set, frozenset) and len(obj) > 1:
            raise Refused("holds a set, whose order would not come back")
        return None

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is np.ndarray:
            return _reduce_array(obj)
        if isinstance(obj, pa.Array | pa.ChunkedArray):
            return _reduce_arrow(obj)
        if isinstance(obj, Block):
            make, (_, *rest) = obj.__reduce__()
            return make, (obj.values, *rest)  # pandas itself closes the gaps of a slice
        if hasattr(obj, "__qualname__"):  # a class or function, by whose name it is found again
            _check_code(obj)
        elif kind not in self._known:
            _check_code(kind)
            self._known.add(kind)
        if isinstance(obj, np.ndarray) and not (obj.flags.writeable and obj.flags.owndata):
            raise Refused(f"holds a {kind.__name__} that shares its memory")
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, name: str) -> float:
        return _NAN[name]


def _check_code(code: Any) -> None:
    """Refuse what comes back as whatever the user's module then says."""
    if getattr(code, "__module__", None) is None:
        code = getattr(code, "__self__", code)  # a method in C
        code = code if isinstance(code, type) else type(code)
    module = getattr(code, "__module__", None) or ""
    if module != "builtins" and not module.startswith("stratum_dask.") and not of_library(code):
        name = getattr(code, "__qualname__", repr(code))
        raise Refused(f"holds {name}, whose code may be another one when it is read")


# -- arrays ------------------------------------------------------------------------------------


def _reduce_array(array: np.ndarray) -> Any:
    flags = array.flags
    plain = flags.c_contiguous or flags.f_contiguous
    if plain and (flags.writeable or array.dtype.kind in _ASIDE):
        return NotImplemented  # NumPy's own keeps order, and that memory is read-only
    if plain:
        return _frozen, (array.copy(order="K"),)
    span = sum(
        stride * (length - 1) for stride, length in zip(array.strides, array.shape, strict=True)
    )
    if min(array.strides) < 0 or array.dtype.hasobject or not array.size:
        raise Refused("holds an array with a layout that would not come back")
    if span + array.itemsize > _MOST_GAPS * array.nbytes:
        raise Refused("holds an array with large gaps between its numbers")
    return _strided, (np.ascontiguousarray(array), array.strides, flags.writeable)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _strided(values: np.ndarray, strides: tuple[int, ...], writeable: bool) -> np.ndarray:
    shape = values.shape
    span = sum(stride * (length - 1) for stride, length in zip(strides, shape, strict=True))
    memory = np.zeros(span + values.itemsize, np.uint8)
    array: np.ndarray = np.ndarray(shape, values.dtype, memory, strides=strides)
    array[...] = values
    array.flags.writeable = writeable
    return array


def _reduce_arrow(array: pa.Array | pa.ChunkedArray) -> Any:
    """Write as Arrow's own format does: what a slice does not show is left out."""
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    sink = pa.BufferOutputStream()
    schema = pa.schema([pa.field("", array.type)])
    with pa.ipc.new_stream(sink, schema) as writer:
        for chunk in chunks:
            writer.write_batch(pa.record_batch([chunk], schema=schema))
    data = pickle.PickleBuffer(sink.getvalue())
    return _read_arrow, (data, isinstance(array, pa.ChunkedArray))


def _read_arrow(data: Any, chunked: bool) -> pa.Array | pa.ChunkedArray:
    column = pa.ipc.open_stream(pa.py_buffer(data)).read_all().column(0)
    return column if chunked else column.chunk(0)
