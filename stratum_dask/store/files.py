"""Where entries lie: in a directory of this machine, or behind any fsspec URL.

An entry's name says all that a choice needs, so that one listing answers for the whole store:

    <token, 32 hexadecimal digits>-<bytes>-<microseconds that computing took>

Names are made from tokens and numbers only. Writers need no locks: an entry appears whole under
its name or not at all, and one that is torn nevertheless is found out by its seal.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import fsspec
import numpy as np

from stratum_dask.errors import StoreError
from stratum_dask.store.keys import check_owner_only
from stratum_dask.store.patience import BoundedFiles
from stratum_dask.store.trouble import masked

_NAME = re.compile(r"([0-9a-f]{32})-([0-9]{1,18})-([0-9]{1,18})")
_FOLDER = re.compile(r"[0-9a-f]{2}")
_FRESH = re.compile(r"\.[0-9a-f]{16}")
"""What is written is called so until it is complete."""
_LONG = 1.0
_ABANDONED = 3600.0
"""Seconds after which a file that was never finished is taken to have lost its writer."""


class Entry(NamedTuple):
    """What is known of an entry without reading it.

    Attributes
    ----------
    token : bytes
        What its value is called in the store, 16 bytes.
    size : int
        Bytes.
    seconds : float
        What computing the value took.
    used : float
        When it was last written or read, as far as the file system says; seconds since 1970.
    """

    token: bytes
    size: int
    seconds: float
    used: float = 0.0

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.token.hex()}-{self.size}-{round(self.seconds * 1e6)}"


def entry_of(name: str, used: float = 0.0) -> Entry | None:
    """Return what a file's name says, or None if it names no entry.

    Examples
    --------
    >>> entry_of("00" * 16 + "-640-1500000").seconds
    1.5
    >>> entry_of("../key")
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Entry(bytes.fromhex(found[1]), int(found[2]), int(found[3]) / 1e6, used)


class Files(Protocol):
    """A place for entries. All methods may raise OSError."""

    def list(self, times: bool = False) -> Iterator[Entry]:
        """Yield all entries; with `times` also when each was last used."""

    def read(self, entry: Entry) -> memoryview:
        """Return an entry's bytes in memory of their own; FileNotFoundError if it is gone."""

    def write(self, entry: Entry, parts: Sequence[Any]) -> None:
        """Write an entry: wholly, or not at all."""

    def remove(self, entry: Entry) -> None:
        """Remove an entry, if it is still there."""

    def touch(self, entry: Entry) -> None:
        """Take note that an entry was used."""

    def tidy(self) -> None:
        """Remove what writers that died have left behind."""


def open_files(url: str, timeout: float) -> Files:
    """Return the place that a path or URL names.

    Parameters
    ----------
    url : str
    timeout : float
        Seconds that a call of a file system may take that is not this machine's.

    Raises
    ------
    StoreError
        If no library for the URL is installed, or a directory is open to other users.
    OSError
        If it cannot be reached.
    """
    if url.startswith(("file://", "local://")) or "://" not in url:
        return LocalFiles(Path(url.partition("://")[2] or url).expanduser())
    return BoundedFiles(lambda: _remote(url), timeout)


def _remote(url: str) -> Files:
    try:
        system, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise StoreError(masked(f"stratum.store.url is {url!r}: {error}")) from None
    return RemoteFiles(system, root)


class LocalFiles:
    """Entries in a directory that only its owner can read, in one of 256 folders each.

    Parameters
    ----------
    root : Path
        Made if it does not exist.

    Raises
    ------
    StoreError
        If it belongs to another user, or others may read or write it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner_only(root, root.stat())
        self._seen: dict[str, tuple[int, list[Entry]]] = {}

    def list(self, times: bool = False) -> Iterator[Entry]:
        """Yield all entries; folders that did not change are not read again."""
        for name in self._folders():
            folder = self.root / name
            changed = folder.stat().st_mtime_ns
            known = self._seen.get(name)
            if times or known is None or known[0] != changed:
                known = self._seen[name] = changed, list(_listed(folder, times))
            yield from known[1]

    def read(self, entry: Entry) -> memoryview:
        """Read it whole: mapped memory would end the process if the file were cut meanwhile."""
        with open(self._path(entry), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size != entry.size:
                return memoryview(b"")
            memory = np.empty(size, np.uint8).data
            got = 0
            while got < size and (more := file.readinto(memory[got:])):
                got += more
            return memory[:got]

    def write(self, entry: Entry, parts: Sequence[Any]) -> None:
        """Write under another name, and rename what is complete.

        An entry that a failure of power has torn is found out by its seal: only what took long is
        worth the wait for the disk.
        """
        path = self._path(entry)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = path.with_name(f".{secrets.token_hex(8)}")
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                if entry.seconds >= _LONG:
                    os.fsync(file.fileno())
            os.replace(fresh, path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise

    def remove(self, entry: Entry) -> None:
        """Remove an entry, if it is still there."""
        self._path(entry).unlink(missing_ok=True)

    def touch(self, entry: Entry) -> None:
        """Set the file's time."""
        os.utime(self._path(entry))

    def tidy(self) -> None:
        """Remove files that were never finished; what others have put there stays."""
        before = time.time() - _ABANDONED
        for name in self._folders():
            for path in (self.root / name).glob(".*"):
                if _FRESH.fullmatch(path.name) and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    def _folders(self) -> Sequence[str]:
        with os.scandir(self.root) as found:
            return sorted(one.name for one in found if _FOLDER.fullmatch(one.name) and one.is_dir())

    def _path(self, entry: Entry) -> Path:
        name = entry.name
        return self.root / name[:2] / name


def _listed(folder: Path, times: bool) -> Iterator[Entry]:
    with os.scandir(folder) as files:
        for file in files:
            try:
                used = file.stat().st_mtime if times else 0.0
            except FileNotFoundError:
                continue
            entry = entry_of(file.name, used)
            if entry is not None:
                yield entry


class RemoteFiles:
    """Entries behind an fsspec file system, where writing a whole object is one step.

    Parameters
    ----------
    system : fsspec.AbstractFileSystem
    root : str
    """

    def __init__(self, system: Any, root: str) -> None:
        self.system, self.root = system, root.rstrip("/")
        system.makedirs(self.root, exist_ok=True)

    def list(self, times: bool = False) -> Iterator[Entry]:
        """Ask for everything below the root at once."""
        self.system.invalidate_cache()
        for path, about in self.system.find(self.root, detail=True).items():
            entry = entry_of(path.rpartition("/")[2], _time_of(about) if times else 0.0)
            if entry is not None:
                yield entry

    def read(self, entry: Entry) -> memoryview:
        """Fetch it whole."""
        data = self.system.cat_file(self._path(entry), start=0, end=entry.size + 1)
        return memoryview(bytearray(data))

    def write(self, entry: Entry, parts: Sequence[Any]) -> None:
        """Send it whole; what fails on the way is torn, and taken away."""
        path = self._path(entry)
        self.system.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            self.system.pipe_file(path, b"".join(parts))
        except OSError:
            self.remove(entry)
            raise

    def remove(self, entry: Entry) -> None:
        """Remove an entry, if it is still there."""
        with suppress(FileNotFoundError):
            self.system.rm_file(self._path(entry))

    def touch(self, entry: Entry) -> None:
        """Do nothing: object stores keep no such time."""

    def tidy(self) -> None:
        """Do nothing: there are no half-written objects."""

    def _path(self, entry: Entry) -> str:
        name = entry.name
        return f"{self.root}/{name[:2]}/{name}"


def _time_of(about: Any) -> float:
    """Return when a remote file was written, from what its file system tells of it."""
    for name in ("mtime", "LastModified", "updated", "last_modified", "created"):
        found = about.get(name)
        if isinstance(found, int | float):
            return float(found)
        if hasattr(found, "timestamp"):
            return float(found.timestamp())
    return 0.0
