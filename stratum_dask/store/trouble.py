"""What happens when a store fails: it is said once, and the store is left alone for a while."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

_log = logging.getLogger("stratum_dask.store")

_PAUSE = 60.0
"""Seconds for which a store that failed is left alone."""
_PAUSE_IF_MUTE = 600.0
"""The same for one that did not answer in time: trying takes time."""


def pause_after(error: Exception) -> float:
    """Return the seconds for which a store that failed is left alone."""
    return _PAUSE_IF_MUTE if isinstance(error, TimeoutError) else _PAUSE


def masked(text: str) -> str:
    """Return a text that names URLs without what may be secret in them.

    Examples
    --------
    >>> masked("s3://me:password@host/bucket: no answer from https://host/bucket?signature=abc")
    's3://***@host/bucket: no answer from https://host/bucket?***'
    """
    text = re.sub(r"//[^\s'\"]*@", "//***@", text)
    return re.sub(r"(//[^\s'\"?]*)\?[^\s'\"]+", r"\1?***", text)


@lru_cache(maxsize=256)
def say(url: str, what: str, why: str) -> None:
    """Warn, once of each cause, that a store fails."""
    _log.warning(
        "the store %s could not be %s: %s; values are computed instead. Make room or access "
        "there, or set stratum.store.url to another place, or to null",
        masked(url),
        what,
        masked(why),
    )
