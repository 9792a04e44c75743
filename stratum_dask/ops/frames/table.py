"""Which operations have a native form: canonical name -> rule, on one screen."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from stratum_dask.ops.direct import DIRECT_OPS, transparent
from stratum_dask.ops.direct.dates import FIELDS
from stratum_dask.ops.frames import lower_arithmetic as arithmetic
from stratum_dask.ops.frames import lower_columns as columns
from stratum_dask.ops.frames import lower_missing as missing
from stratum_dask.ops.frames import lower_reductions as reductions
from stratum_dask.ops.frames import lower_replace as replace
from stratum_dask.ops.frames import lower_rowwise as rowwise
from stratum_dask.ops.frames import lower_ufuncs as ufuncs
from stratum_dask.ops.frames.builder import Builder
from stratum_dask.ops.frames.symbols import Unsupported

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
_NUMPY_UNARY = ("log1p", "expm1", "log", "log2", "log10", "exp", "sqrt")
_NUMPY_OPERATORS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "true_divide": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "mod": "mod",
    "power": "pow",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    # columns
    "operator.getitem": columns.getitem,
    "getattr": columns.get_attribute,
    "stratum.with_column": columns.set_column,
    ".assign": columns.assign,
    "dask.assign": columns.assign_pairs,
    "dask.accessor": columns.get_accessor_attribute,
    ".drop": columns.drop,
    ".rename": columns.rename,
    ".copy": columns.copy,
    ".astype": columns.astype,
    ".round": columns.round_to,
    "numpy.round": columns.round_to,
    # arithmetic, comparisons, logic
    **{f"operator.{op}": arithmetic.operator_rule(op) for op in (*_ARITHMETIC, *_COMPARISONS)},
    **{f"operator.{op}_": arithmetic.operator_rule(op) for op in ("and", "or")},
    "operator.xor": arithmetic.operator_rule("xor"),
    **{f".{op}": arithmetic.method_rule(op) for op in (*_ARITHMETIC, *_COMPARISONS)},
    **{f".r{op}": arithmetic.method_rule(op, swapped=True) for op in _ARITHMETIC},
    ".div": arithmetic.method_rule("truediv"),
    ".rdiv": arithmetic.method_rule("truediv", swapped=True),
    **{f"numpy.{name}": arithmetic.operator_rule(op) for name, op in _NUMPY_OPERATORS.items()},
    "operator.abs": arithmetic.absolute,
    ".abs": arithmetic.absolute,
    "numpy.abs": arithmetic.absolute,
    "numpy.absolute": arithmetic.absolute,
    "operator.neg": arithmetic.negative,
    "numpy.negative": arithmetic.negative,
    "operator.invert": arithmetic.invert,
    # missing and replaced values
    ".fillna": missing.fillna,
    **dict.fromkeys((".isna", ".isnull", "pandas.isna", "pandas.isnull"), missing.isna),
    **dict.fromkeys((".notna", ".notnull", "pandas.notna", "pandas.notnull"), missing.notna),
    ".clip": missing.clip,
    "numpy.clip": missing.numpy_clip,
    ".where": missing.where,
    ".mask": missing.mask,
    "numpy.where": missing.numpy_where,
    ".replace": replace.replace,
    ".isin": missing.isin,
    ".map": missing.map_values,
    # reductions
    **{
        f".{r}": reductions.reduction_rule(r)
        for r in ["median", "mean", "sum", "count", "min", "max"]
    },
    **{f".{spread}": reductions.spread_rule(spread) for spread in ("std", "var")},
    ".any": rowwise.logic_rule("or"),
    ".all": rowwise.logic_rule("and"),
    ".quantile": reductions.quantile,
    ".mode": reductions.mode,
    # NumPy's inner loops
    **{
        f"numpy.{f}": ufuncs.unary_rule(f)
        for f in ["log1p", "expm1", "log", "log2", "log10", "exp", "sqrt", "sin", "cos", "tan"]
    },
    **{f"numpy.{f}": ufuncs.binary_rule(f) for f in ("maximum", "minimum")},
    "numpy.isnan": ufuncs.isnan,
}


class Rule(NamedTuple):
    """A lowering function and the arguments that it takes."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    required: tuple[tuple[int, str], ...]
    keywords: frozenset[str] | None
    variadic: bool = False

    def __call__(self, b: Builder, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return the symbol of the result, or raise `Unsupported`."""
        count = len(args)
        if count > len(self.names) and not self.variadic:
            raise Unsupported("arguments")
        if kwargs:
            if self.keywords is not None and not kwargs.keys() <= self.keywords:
                raise Unsupported("arguments")
            if not kwargs.keys().isdisjoint(self.names[:count]):
                raise Unsupported("arguments")
        for position, name in self.required:
            if position >= count and name not in kwargs:
                raise Unsupported("arguments")
        return self.function(b, *args, **kwargs)


def _rule(function: Callable[..., Any]) -> Rule:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    required = [
        (position, parameter.name)
        for position, parameter in enumerate(parameters)
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    keywords = None
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        keywords = frozenset(p.name for p in parameters if p.kind is not p.POSITIONAL_ONLY)
    names = tuple(p.name for p in positional)
    return Rule(function, names, tuple(required), keywords, variadic)


RULES: dict[str, Rule] = {name: _rule(function) for name, function in _FUNCTIONS.items()}

#: Methods that are only of interest with literals.
_OF_STRINGS = frozenset((".split", ".rsplit", ".partition"))
#: The operations that are worth fusing: those that have a native form.
SUPPORTED: frozenset[str] = frozenset(RULES)

#: The operations that may become part of a fused task.
FUSABLE: frozenset[str] = SUPPORTED | DIRECT_OPS


def fusable(op: str | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a call with these arguments (not yet resolved) may become part of a fused task.

    Whether it then runs natively is decided when the real operands are known. Calls that change
    an argument in place never are fused.

    Examples
    --------
    >>> fusable(".fillna", (0,), {}), fusable(".fillna", (0,), {"inplace": True})
    (True, False)
    """
    if op not in FUSABLE:
        return False
    if op == "getattr":
        if len(args) != 2 or type(args[1]) is not str:
            return False
        return transparent(args[1]) or not hasattr(pd.DataFrame, args[1])
    if op == "dask.accessor":
        return len(args) == 3 and args[1] == "dt" and args[2] in FIELDS
    if op in _OF_STRINGS and not all(type(value) in (str, int) for value in args[1:]):
        return False  # splitters of rows have methods of these names too
    return "out" not in kwargs and ("inplace" not in kwargs or kwargs["inplace"] is False)
