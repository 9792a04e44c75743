"""The key that seals entries: a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from stratum_dask.errors import StoreError

_LENGTH = 32
_MOST = 1024
"""Characters that are read of a file that may be no key."""


def load_key(path: str | os.PathLike[str]) -> bytes:
    """Return the key in a file, which is made if there is none.

    Parameters
    ----------
    path : path-like
        ``~`` means the home directory.

    Returns
    -------
    bytes
        32 random bytes.

    Raises
    ------
    StoreError
        If others could have read or written it, or it is no key.
    """
    file = Path(path).expanduser()
    try:
        if not file.exists():
            _make(file)
        with file.open(encoding="ascii") as opened:
            check_owner_only(file, os.fstat(opened.fileno()))  # which nobody can replace any more
            key = bytes.fromhex(opened.read(_MOST).strip())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"the store's key {str(file)!r} cannot be read or made: {error}; set stratum.store.key "
            "to a file that this user owns"
        ) from None
    if len(key) != _LENGTH:
        raise StoreError(
            f"the store's key {str(file)!r} is no key: it must hold {2 * _LENGTH} hexadecimal "
            "digits; remove it to have another one made"
        )
    return key


def check_owner_only(path: Path, found: os.stat_result) -> None:
    """Refuse a file or directory that others may read or write.

    Parameters
    ----------
    path : Path
        What it is called.
    found : os.stat_result
        What the system says of it.

    Raises
    ------
    StoreError
    """
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"{str(path)!r} belongs to the user {found.st_uid}, who could change what is read from "
            "it; choose a place of your own"
        )
    if found.st_mode & 0o077:
        raise StoreError(
            f"{str(path)!r} is open to other users (mode {found.st_mode & 0o777:o}); close it with "
            f"chmod go= {str(path)!r}"
        )


def _make(file: Path) -> None:
    """Write a new key; of several that are made at once, one stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_hex(_LENGTH) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        fresh.unlink()
