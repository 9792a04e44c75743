"""Settings: Dask's own configuration, section ``stratum``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import dask
import yaml

from stratum_dask.errors import ConfigError

_NUMERICS = ("exact", "close")
_ISOLATE = ("thread", "process")


def load_defaults() -> None:
    """Make the packaged ``stratum.yaml`` the defaults of Dask's section ``stratum``."""
    dask.config.update_defaults(_defaults())


@cache
def _defaults() -> Any:
    return yaml.safe_load(files("stratum_dask").joinpath("stratum.yaml").read_text())


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
        If a value is not allowed, or the section has a setting that there is not.
    """
    _check_names(dask.config.get("stratum"), _defaults()["stratum"], "stratum")
    chosen: Any = dask.config.get("stratum.numerics") if numerics is None else numerics
    if chosen not in _NUMERICS:
        raise ConfigError(f"numerics is {chosen!r}; choose one of {', '.join(_NUMERICS)}")
    off: Any = dask.config.get("stratum.disable") if disable is None else disable
    if not is_many(off) or not all(isinstance(name, str) for name in off):
        raise ConfigError(f"disable is {off!r}; it must be a list of names of passes")
    where: Any = dask.config.get("stratum.isolate") if isolate is None else isolate
    if where not in _ISOLATE:
        raise ConfigError(f"isolate is {where!r}; choose one of {', '.join(_ISOLATE)}")
    return Options(chosen, tuple(off), bool(dask.config.get("stratum.verify")), where)


def is_many(value: Any) -> bool:
    """Tell whether a setting or keyword holds several things, which a string does not."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _check_names(given: Any, known: Mapping[str, Any], where: str) -> None:
    """Refuse settings whose names are misspelled: they would be left out in silence."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} is {given!r}; it has settings of its own: {', '.join(known)}")
    for name, value in given.items():
        twin = name if name in known else name.replace("_", "-")
        if twin not in known:
            raise ConfigError(f"{where}.{name} is no setting; choose from {', '.join(known)}")
        if isinstance(known[twin], Mapping):
            _check_names(value, known[twin], f"{where}.{name}")
