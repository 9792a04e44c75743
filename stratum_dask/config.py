"""Settings: Dask's own configuration, section ``stratum``."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any, NamedTuple

import dask
import yaml

from stratum_dask.errors import ConfigError

_NUMERICS = ("exact", "close")
_ISOLATE = ("thread", "process")


def load_defaults() -> None:
    """Make the packaged ``stratum.yaml`` the defaults of Dask's section ``stratum``."""
    defaults = yaml.safe_load(files("stratum_dask").joinpath("stratum.yaml").read_text())
    dask.config.update_defaults(defaults)


class Options(NamedTuple):
    """What one call of :func:`stratum_dask.optimize` was asked to do."""

    numerics: str
    disable: tuple[str, ...]
    verify: bool
    isolate: str


def options(
    numerics: str | None = None,
    disable: Iterable[str] | None = None,
    isolate: str | None = None,
) -> Options:
    """Combine keywords with the configuration, which they override.

    Raises
    ------
    ConfigError
        If a value is not allowed.
    """
    chosen: Any = dask.config.get("stratum.numerics") if numerics is None else numerics
    if chosen not in _NUMERICS:
        raise ConfigError(f"numerics is {chosen!r}; choose one of {', '.join(_NUMERICS)}")
    off: Any = dask.config.get("stratum.disable") if disable is None else disable
    if isinstance(off, str) or not all(isinstance(name, str) for name in off):
        raise ConfigError(f"disable is {off!r}; it must be a list of names of passes")
    where: Any = dask.config.get("stratum.isolate") if isolate is None else isolate
    if where not in _ISOLATE:
        raise ConfigError(f"isolate is {where!r}; choose one of {', '.join(_ISOLATE)}")
    return Options(chosen, tuple(off), bool(dask.config.get("stratum.verify")), where)
