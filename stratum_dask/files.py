"""What a file holds: a content hash, looked up by what the file system says of the file."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

Stat = tuple[int, int, int, int, int]


class FileIdentity(NamedTuple):
    """What a file held at some moment.

    Attributes
    ----------
    path : str
    stat : tuple of int
        Device, inode, size, and times of modification and status change in nanoseconds.
    content : bytes
        Hash of the content, 16 bytes: copies of one file are equal.
    """

    path: str
    stat: Stat
    content: bytes

    def unchanged(self) -> bool:
        """Tell whether the file still holds the same; cheap while nobody touched it."""
        try:
            now = _stat(self.path)
        except OSError:
            return False
        return now == self.stat or _content(self.path, now) == self.content

    def __str__(self) -> str:
        return f"the file {self.path!r}"


def identify_file(path: str | os.PathLike[str]) -> FileIdentity:
    """Return what a file holds now.

    Parameters
    ----------
    path : str or path-like
        A local file. Linear in its size the first time, constant while it is not touched.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file.
    """
    name = os.fspath(path)
    stat = _stat(name)
    return FileIdentity(name, stat, _content(name, stat))


def _stat(path: str) -> Stat:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path!r} is no regular file")
    s = os.stat(path)
    return s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns


@lru_cache(maxsize=4096)
def _content(path: str, stat: Stat) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
