"""The versions of what libraries' callables and modules come from."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib import metadata
from typing import Any


def version(of: Any) -> bytes:
    """Return the version of the distribution that a callable, class or module comes from.

    Parameters
    ----------
    of : object
        Python's own version counts for what comes from none.
    """
    module = getattr(of, "__module__", None) or getattr(of, "__name__", None) or "pandas"
    return _of_distribution(str(module).partition(".")[0])


@lru_cache(maxsize=1024)
def _of_distribution(root: str) -> bytes:
    try:
        return metadata.version({"sklearn": "scikit-learn"}.get(root, root)).encode()
    except metadata.PackageNotFoundError:
        return sys.version.encode()
