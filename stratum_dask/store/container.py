"""One entry: a value's bytes under a seal. Nothing is read out of an entry whose seal is broken.

magic         8 bytes
version       of this format, 4 bytes
key           which key sealed it, 4 bytes
size          of the entry, 8 bytes
seal          HMAC-SHA256 of everything else, 32 bytes
head          length (4 bytes) and JSON: token, seconds, and of each buffer its sizes
structure     and buffers, each at a multiple of 64
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import struct
from functools import cache
from typing import Any, NamedTuple

import pyarrow as pa

from stratum_dask.store.values import Encoded, decode

VERSION = 1
_MAGIC = b"STRATUM\n"
_PREFIX = struct.Struct("<8sI4sQ")
_SEAL = 32
_LENGTH = struct.Struct("<I")
_HEAD = _PREFIX.size + _SEAL + _LENGTH.size
_ALIGNED = 64

_SAMPLE = 64 * 1024
_LEVEL = 1
_WORTH = 2.0
"""Buffers that shrink by less are left as they are, since those read many times faster."""

TOO_LARGE = "larger than half of the memory"


class Bad(Exception):
    """An entry cannot be used; the message is the reason, one of a few."""


class Opened(NamedTuple):
    """What an entry holds.

    Attributes
    ----------
    value : object
    seconds : float
        What computing it took.
    """

    value: Any
    seconds: float


def key_id(key: bytes) -> bytes:
    """Return what names a key without telling it."""
    return hashlib.sha256(b"stratum_dask store key" + key).digest()[:4]


def seal(token: bytes, encoded: Encoded, seconds: float, key: bytes) -> list[Any]:
    """Make an entry.

    Parameters
    ----------
    token : bytes
        The value's identity, 16 bytes.
    encoded : Encoded
    seconds : float
        What computing the value took.
    key : bytes
        32 bytes.

    Returns
    -------
    list of bytes-like
        The parts of the entry, in order.
    """
    stored = [_compressed(buffer) for buffer in (memoryview(encoded.structure), *encoded.buffers)]
    head = json.dumps(
        {
            "token": token.hex(),
            "seconds": seconds,
            "buffers": [
                [len(data), original.nbytes, packed, original.readonly]
                for (data, packed), original in zip(
                    stored, (memoryview(encoded.structure), *encoded.buffers), strict=True
                )
            ],
        }
    ).encode()
    parts: list[Any] = [_LENGTH.pack(len(head)), head]
    position = _HEAD + len(head)
    for data, _ in stored:
        gap = -position % _ALIGNED
        parts += [bytes(gap), data]
        position += gap + len(data)
    prefix = _PREFIX.pack(_MAGIC, VERSION, key_id(key), position)
    return [prefix, _seal(key, prefix, *parts), *parts]


def unseal(entry: memoryview, token: bytes, key: bytes) -> Opened:
    """Check an entry and return its value, which lies in the entry's memory where it can.

    Parameters
    ----------
    entry : memoryview
        Writable memory that nobody else sees.
    token : bytes
        The value's identity.
    key : bytes

    Raises
    ------
    Bad
        If it is not exactly what :func:`seal` made of this value with this key.
    """
    head = check(entry, token, key)
    position = _HEAD + _LENGTH.unpack_from(entry, _HEAD - _LENGTH.size)[0]
    check_size(sum(max(stored, size) for stored, size, *_ in head["buffers"]))
    buffers: list[memoryview] = []
    for stored, size, packed, readonly in head["buffers"]:
        position += -position % _ALIGNED
        data = entry[position : position + stored]
        if packed:
            data = _decompressed(data, size)
        buffers.append(data.toreadonly() if readonly else data)
        position += stored
    try:
        return Opened(decode(buffers[0], buffers[1:]), head["seconds"])
    except Exception as error:  # of whatever class the value has
        raise Bad(f"unreadable: {type(error).__name__}") from error


def check(entry: memoryview, token: bytes, key: bytes) -> dict[str, Any]:
    """Check an entry's seal and return its head.

    Raises
    ------
    Bad
    """
    if len(entry) < _HEAD:
        raise Bad("torn")
    magic, version, sealed_by, size = _PREFIX.unpack_from(entry)
    if magic != _MAGIC:
        raise Bad("no entry")
    if version != VERSION:
        raise Bad("other version")
    if sealed_by != key_id(key):
        raise Bad("foreign key")
    if size != len(entry):
        raise Bad("torn")
    body = _PREFIX.size + _SEAL
    found = _seal(key, entry[: _PREFIX.size], entry[body:])
    if not hmac.compare_digest(found, bytes(entry[_PREFIX.size : body])):
        raise Bad("altered")
    length = _LENGTH.unpack_from(entry, body)[0]
    head: dict[str, Any] = json.loads(bytes(entry[_HEAD : _HEAD + length]))
    if head["token"] != token.hex():
        raise Bad("another value's")
    return head


def _seal(key: bytes, *parts: Any) -> bytes:
    code = hmac.new(key, digestmod="sha256")
    for part in parts:
        code.update(part)
    return code.digest()


# -- compression -------------------------------------------------------------------------------


@cache
def _codec() -> Any:
    return pa.Codec("zstd", _LEVEL)


def _compressed(data: memoryview) -> tuple[Any, bool]:
    """Return the bytes to write, and whether they are compressed."""
    data = data.cast("B") if data.nbytes else memoryview(b"")
    if len(data) < 1024:
        return data, False
    if len(data) > 4 * _SAMPLE:
        middle = len(data) // 2
        sample = data[middle : middle + _SAMPLE]
        if len(_codec().compress(sample, asbytes=True)) * _WORTH > len(sample):
            return data, False
    packed = _codec().compress(data, asbytes=True)
    return (packed, True) if len(packed) * _WORTH <= len(data) else (data, False)


def _decompressed(data: memoryview, size: int) -> memoryview:
    try:
        return memoryview(_codec().decompress(data, size))
    except (OSError, ValueError) as error:
        raise Bad(f"unreadable: {error}") from error


@cache
def _most() -> int:
    """Return the size of the largest value that is read: half of the memory."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)


def check_size(nbytes: int) -> None:
    """Refuse what memory cannot hold.

    Raises
    ------
    Bad
    """
    if nbytes > _most():
        raise Bad(TOO_LARGE)
