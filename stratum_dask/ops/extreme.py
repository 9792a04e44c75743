"""What XGBoost keeps for every thread by itself: its settings, and where its messages go.

On any thread but the one that imported it, it has its defaults and writes to standard error what
else would be a warning.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any

_local = threading.local()


def settings_here() -> dict[str, Any]:
    """Return the settings of the calling thread; none if nobody has imported the library."""
    library = _library()
    return {} if library is None else dict(library.get_config())


def set_here(settings: Mapping[str, Any]) -> None:
    """Give the calling thread these settings, and let it warn; once, not for every task.

    Parameters
    ----------
    settings : mapping of str to value
        From :func:`settings_here`; what the version here does not know is left out.
    """
    library = _library()
    if library is None or getattr(_local, "settings", None) == settings:
        return
    own = library.get_config()
    if changed := {
        name: value for name, value in settings.items() if own.get(name, value) != value
    }:
        library.set_config(**changed)
    native: Any = getattr(library.core, "_LIB", None)
    if hasattr(native, "callback"):
        native.XGBRegisterLogCallback(native.callback)
    _local.settings = dict(settings)


def _library() -> Any:
    library = sys.modules.get("xgboost")
    return library if hasattr(library, "get_config") else None  # or it is just being imported
