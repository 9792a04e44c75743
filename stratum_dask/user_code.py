"""What the user's own modules say in this process: in another one they may say something else.

A worker imports a module when it first needs it. When the file was edited before or after that, or
the module was loaded again elsewhere, it runs other code than the plan was made for.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from functools import lru_cache

from stratum_dask.callables import code_digest
from stratum_dask.literals import digest
from stratum_dask.semantics import is_library

_CONSTANTS = (int, float, complex, str, bytes, type(None))


def user_modules() -> dict[str, types.ModuleType]:
    """Return the user's modules that are loaded here, by name; not the main one, which travels."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if type(module) is types.ModuleType
        and getattr(module, "__file__", None) is not None
        and name.partition(".")[0] not in ("__main__", "__mp_main__", "stratum_dask")
        and not is_library(name)
    }


def user_code() -> dict[str, bytes]:
    """Return a digest of the code of each of the user's modules that are loaded here.

    Returns
    -------
    dict of str to bytes
        16 bytes for each: the functions and methods that the module defines, and the plain
        constants that these use.
    """
    return {name: _digest(module) for name, module in user_modules().items()}


def is_the_same(code: Mapping[str, bytes]) -> bool:
    """Tell whether those of some modules that are loaded here say what they did elsewhere.

    Parameters
    ----------
    code : mapping of str to bytes
        As of :func:`user_code`.
    """
    found = ((sys.modules.get(name), known) for name, known in code.items())
    return all(module is None or _digest(module) == known for module, known in found)


def _digest(module: types.ModuleType) -> bytes:
    names = vars(module)
    functions = list(_functions(module.__name__, names, ""))
    used = {name for _, code in functions for name in code.co_names}
    constants = sorted(
        f"{name}={type(value).__name__}:{value!r}"
        for name, value in names.items()
        if name in used and type(value) in _CONSTANTS
    )
    parts = [f"{name}:".encode() + _of_code(code) for name, code in functions]
    return digest(b"".join(parts) + "\n".join(constants).encode())


def _functions(
    module: str, names: Mapping[str, object], prefix: str
) -> Iterator[tuple[str, types.CodeType]]:
    """Yield the code of all functions and methods that a namespace of a module defines."""
    for name, value in sorted(names.items()):
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        if isinstance(value, types.FunctionType) and value.__module__ == module:
            yield prefix + name, value.__code__
        elif isinstance(value, type) and value.__module__ == module and not prefix:
            yield from _functions(module, vars(value), f"{name}.")


_of_code = lru_cache(maxsize=10_000)(code_digest)
