"""Which code is the user's own."""

from __future__ import annotations

import os
import sysconfig
from functools import lru_cache
from pathlib import Path

_OURS = str(Path(__file__).parents[1]) + os.sep
_LIBRARIES = tuple(
    sysconfig.get_paths()[kind] + os.sep for kind in ("purelib", "platlib", "stdlib")
)


@lru_cache(maxsize=4096)
def is_users_file(filename: str) -> bool:
    """Tell whether a file belongs neither to Python or an installed distribution, nor to us.

    Examples
    --------
    >>> is_users_file("/home/me/search.py"), is_users_file(os.__file__)
    (True, False)
    """
    return not filename.startswith(("<frozen", _OURS, *_LIBRARIES))
