"""The files that a call reads, whose content counts instead of their paths."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any

from stratum_dask.bytecode.bindings import unwrapped
from stratum_dask.callables import Function
from stratum_dask.files import FileIdentity, RemoteIdentity, identify_file, identify_url
from stratum_dask.literals import Unknown
from stratum_dask.semantics import READERS


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
