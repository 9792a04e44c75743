"""Libraries' functions that see other things under the names that they use.

Copies, so that nobody else who calls the library meets them.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterable
from typing import Any


def with_globals(func: Any, **names: Any) -> Any:
    """Return a copy of a function that sees other things under some of its module's names.

    Decorators around it are copied too, so that they call the copy.

    Parameters
    ----------
    func : function
    **names
        What the copy sees under each name.

    Examples
    --------
    >>> from statistics import fmean
    >>> with_globals(fmean, fsum=lambda data: 100.0)([1.0, 2.0])
    50.0
    """
    inner = getattr(func, "__wrapped__", None)
    made: Any
    if inner is None:
        made = types.FunctionType(
            func.__code__,
            {**func.__globals__, **names},
            func.__name__,
            func.__defaults__,
            func.__closure__,
        )
    else:
        copied = with_globals(inner, **names)
        cells = tuple(
            types.CellType(copied) if cell.cell_contents is inner else cell
            for cell in func.__closure__
        )
        made = types.FunctionType(
            func.__code__, func.__globals__, func.__name__, func.__defaults__, cells
        )
    made.__kwdefaults__ = func.__kwdefaults__
    functools.update_wrapper(made, func)
    if inner is None:
        del made.__wrapped__
    else:
        made.__wrapped__ = copied
    return made


def in_turn(calls: Iterable[Any]) -> list[Any]:
    """Make the calls that scikit-learn's ``delayed`` put down, here and one after the other.

    What its ``Parallel`` does for that takes longer than a small call.

    Examples
    --------
    >>> from sklearn.utils.parallel import delayed
    >>> in_turn(delayed(max)(1, number) for number in (0, 2))
    [1, 2]
    """
    return [call.function(*args, **kwargs) for call, args, kwargs in calls]
