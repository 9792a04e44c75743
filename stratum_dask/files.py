"""What a file holds: a content hash, looked up by what the file system says of the file.

Of a file elsewhere the content is not read to find out: its file system tells when it changes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

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


@dataclass(frozen=True)
class RemoteIdentity:
    """What a file elsewhere held at some moment, as far as its file system tells.

    Attributes
    ----------
    url : str
    options : mapping
        As ``fsspec`` takes them.
    content : bytes
        Hash of the URL, the options and what changes with the content: copies differ.
    """

    url: str
    options: Mapping[str, Any] = field(compare=False)
    content: bytes

    def unchanged(self) -> bool:
        """Tell whether the file still holds the same; asks its file system."""
        try:
            return identify_url(self.url, self.options).content == self.content
        except Exception:  # file systems raise errors of their own
            return False

    def __str__(self) -> str:
        return f"the file {self.url!r}"


def identify_url(
    url: str, options: Mapping[str, Any] | None = None
) -> FileIdentity | RemoteIdentity:
    """Return what a file holds now that ``fsspec`` can open.

    Parameters
    ----------
    url : str
    options : mapping, optional
        Of its file system, as pandas' `storage_options`.

    Raises
    ------
    OSError
        If its file system does not tell when it changes.
    Exception
        As the file system raises where there is no such file, or no access to it.

    Examples
    --------
    >>> import fsspec
    >>> with fsspec.open("memory://numbers.csv", "w") as file:
    ...     _ = file.write("a")
    >>> found = identify_url("memory://numbers.csv")
    >>> found.unchanged()
    True
    """
    options = dict(options or {})
    system, path = url_to_fs(url, **options)
    if isinstance(system, LocalFileSystem):
        return identify_file(path)
    system.invalidate_cache()
    known = system.info(path)
    token = {name: known[name] for name in known if name.lower() in _CHANGING}
    if not token:
        try:
            token["modified"] = system.modified(path)
        except NotImplementedError:
            raise OSError(f"the file system of {url} does not tell when it changes") from None
    told = repr((url, sorted(options.items()), sorted(token.items()), known.get("size")))
    return RemoteIdentity(url, options, hashlib.blake2b(told.encode(), digest_size=16).digest())


def compression_of(path: str) -> str:
    """Return the ending by which readers tell how a file is compressed, or "".

    Examples
    --------
    >>> compression_of("flights.csv.GZ"), compression_of("flights.csv")
    ('.gz', '')
    """
    ending = Path(path).suffix.lower()
    return ending if ending in _COMPRESSED else ""


_COMPRESSED = frozenset({".gz", ".bz2", ".zip", ".xz", ".zst", ".tar", ".tgz"})
#: What file systems call what changes with a file's content, in small letters.
_CHANGING = frozenset(
    (
        *("etag", "versionid", "version_id", "generation", "md5hash", "content_md5", "checksum"),
        *("last_modified", "lastmodified", "mtime", "modified", "updated"),
    )
)


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
