"""scikit-learn's own methods, with a function in the place of one that is slow.

An encoder that looks at every string itself asks one method of its own for codes; everything around
that method is scikit-learn's and runs as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from stratum_dask.ops.steps import Unsupported

T = TypeVar("T")


@contextmanager
def standing_in(estimator: Any, **methods: Any) -> Iterator[None]:
    """Let others stand in for attributes of an estimator while it is fitted.

    Parameters
    ----------
    estimator : estimator
        A failure leaves it as it was.
    **methods
        By name, what to find there.

    Raises
    ------
    Unsupported
        Instead of any error: on all rows, scikit-learn says it in its own words.
    """
    state = vars(estimator)
    before = dict(state)
    state.update(methods)
    try:
        yield
    except Exception as error:
        state.clear()
        state.update(before)
        if isinstance(error, Unsupported):
            raise
        raise Unsupported(f"{type(error).__name__} while fitting") from None
    for name in methods:
        if name in before:
            state[name] = before[name]
        else:
            del state[name]


def twin(estimator: T, **methods: Any) -> T:
    """Return an estimator with the state of another, others standing in for attributes.

    A fitted estimator may be in use by several threads, so it is left alone.
    """
    made = object.__new__(type(estimator))
    vars(made).update(vars(estimator), **methods)
    return made
