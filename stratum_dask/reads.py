"""What a call takes from outside: files, whose content counts instead of their paths."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from stratum_dask.bytecode.bindings import arguments, unwrapped
from stratum_dask.callables import Function
from stratum_dask.draws import check_sampling, check_seeds
from stratum_dask.files import (
    FileIdentity,
    RemoteIdentity,
    compression_of,
    identify_file,
    identify_url,
)
from stratum_dask.literals import Unknown
from stratum_dask.semantics import CLOCKS, READERS, SEEDED, reads_clock

Files = tuple[FileIdentity | RemoteIdentity, ...]
_LATER = ("chunksize", "iterator", "mmap_mode")


def outside(node: Any, function: Function) -> tuple[list[bytes], Files]:
    """Return what the files hold that a task reads.

    Parameters
    ----------
    node : Task
    function : Function
        What is known of what it calls.

    Returns
    -------
    contents : list of bytes
        One identity per file.
    files : tuple
        The files, as they are now.

    Raises
    ------
    Unknown
        If that cannot be said at plan time, or the task looks at the clock or draws randomness.
    """
    func, args, kwargs = unwrapped(node.func)
    args, given = (*args, *node.args), {**kwargs, **node.kwargs}
    if reads_clock(function.name, (*args, *given.values())):
        raise Unknown("looks at the clock")
    if function.name in SEEDED:
        check_sampling(function.name, given)
        return [], ()
    if function.name in CLOCKS:
        return [], ()
    options = None
    paths: list[Any] = [one.value for one in function.effects.paths if one.value is not None]
    if function.name in READERS:
        if any(given.get(name) for name in _LATER):
            raise Unknown(f"reads only as its value is used ({', '.join(_LATER)})")
        paths.append(args[0] if args else None)
        options = given.get("storage_options") or {}
    else:
        try:
            given = dict(arguments(func, args, given))
        except TypeError as error:  # the call fails when it runs, as the user wrote it
            raise Unknown(f"does not fit its function: {error}") from None
        check_seeds(function.effects, given)
        paths += [given.get(one.parameter) for one in function.effects.paths if one.parameter]
    files = tuple(identify_path(path, options) for path in paths)
    contents = [
        file.content + compression_of(os.fspath(path)).encode()
        for file, path in zip(files, paths, strict=True)
    ]
    return contents, files


def without_paths(node: Any, function: Function) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a reading task without the paths, whose content counts instead."""
    only_read = {one.parameter for one in function.effects.paths if one.only_read}
    if unwrapped(node.func)[0] is not node.func:
        return list(node.args), node.kwargs
    if function.name in READERS:
        return list(node.args[1:]), node.kwargs
    if not only_read:
        return list(node.args), node.kwargs
    names = list(inspect.signature(node.func).parameters)[: len(node.args)]
    args = [None if name in only_read else a for name, a in zip(names, node.args, strict=False)]
    args += node.args[len(names) :]
    return args, {name: a for name, a in node.kwargs.items() if name not in only_read}


def identify_path(path: Any, options: Any = None) -> FileIdentity | RemoteIdentity:
    """Identify a file; a URL only if the `options` of its file system are known, too."""
    if not isinstance(path, str | os.PathLike):
        raise Unknown("reads a path that is not known at plan time")
    name = os.fspath(path)
    if "://" in name:
        if not isinstance(options, Mapping):
            raise Unknown(f"reads the URL {name}, whose content is not known at plan time")
        try:
            return identify_url(name, options)
        except Exception as error:  # file systems raise errors of their own
            raise Unknown(f"reads the URL {name}: {type(error).__name__}: {error}") from None
    try:
        return identify_file(name)
    except OSError:
        raise Unknown(f"reads {name!r}, which cannot be read at plan time") from None
