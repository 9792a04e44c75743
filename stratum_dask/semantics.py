"""Which callables we understand, and what we know of each: one table.

An allowlist. Whatever is not here is impure: it runs as often as the user wrote it.
"""

from __future__ import annotations

import builtins
import math
import operator
import os
import sys
import sysconfig
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from dask.utils import methodcaller
from sklearn.base import BaseEstimator


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# -- the table ---------------------------------------------------------------------------------

PURE_METHODS = _names("""
    abs add agg aggregate align all any apply argmax argmin argsort array as_matrix asfreq assign
    astype at_time between bfill casefold capitalize cat ceil centroid clip columns combine
    combine_first compare conj contains copy corr corrwith count cov cummax cummin cumprod cumsum
    date day day_name decision_function describe diagonal diff difference div divide dot
    drop drop_duplicates droplevel dropna dtype duplicated encode endswith eq equals ewm expanding
    explode ffill fillna filter find first first_valid_index flatten floor floordiv format ge get
    get_dummies get_feature_names_out get_group get_level_values get_loc get_n_splits get_params
    groupby gt head idxmax idxmin index infer_objects interpolate intersection inverse_transform
    isalnum isalpha isdigit isin isna isnull isocalendar isupper item items iterrows itertuples
    join keys kurt last le len ljust lower lstrip lt map mask match max mean median melt
    memory_usage merge min mod mode month_name mul multiply ne nlargest normalize notna notnull
    nsmallest nunique ngroup pad partition pct_change pivot pivot_table pow predict
    predict_log_proba predict_proba prod product quantile radd rank ravel rdiv reindex rename
    rename_axis repeat replace resample reset_index reshape rfloordiv rjust rmod rmul rolling round
    rpow rsplit rstrip rsub rtruediv score score_samples searchsorted select_dtypes sem set_axis
    set_index shift size skew slice sort_index sort_values split splitlines squeeze stack
    startswith std strftime strip sub subtract sum swapaxes swapcase tail take title to_dict
    to_frame to_list to_numpy to_period to_timestamp tolist total_seconds transform translate
    transpose truediv truncate tz_convert tz_localize union unique unstack upper value_counts
    values var view where xs zfill tobytes toarray todense tocsr tocsc hexdigest isoformat
    cumcount nth fit_predict_proba
""")
MUTATING_METHODS = _names("""
    add_suffix append clear discard extend fill fit fit_predict fit_transform insert isetitem
    itemset partial_fit pop popitem put remove resize reverse set_output set_params setdefault
    setflags setitem sort update itemset set_flags
""")
FITTING = _names("fit fit_predict fit_transform partial_fit set_params set_output")
"""Methods of estimators that change their receiver; also their input, if `writes_inputs`."""
TRANSFORMING = _names("transform inverse_transform predict score")
"""Methods of estimators that change their input if `writes_inputs`, else nothing."""

LOGGING = _names("debug info warning error exception critical")
"""Methods of loggers: allowed, and done once for all who share a task."""

VIEWS = _names("""
    operator.getitem getattr .array .diagonal .get .ravel .reshape .squeeze .swapaxes .to_numpy
    .transpose .values .view numpy.asarray numpy.broadcast_to numpy.diag numpy.expand_dims
    numpy.moveaxis numpy.ravel numpy.reshape numpy.squeeze numpy.swapaxes numpy.transpose
""")
"""Calls whose result may share memory with what they are given, outside pandas' protection."""

SEEDED = _names("""
    .sample sklearn.model_selection.train_test_split sklearn.utils.shuffle sklearn.utils.resample
""")
GENERATORS = _names("numpy.random.default_rng numpy.random.RandomState")
"""Makers of generators: local ones with a constant seed are harmless, others are state."""
DRAWING = _names("""
    binomial choice exponential gamma integers normal permutation permuted poisson rand randint
    randn random random_sample shuffle standard_normal uniform
""")
"""Methods of such generators."""
"""Callables that draw randomness unless they are given a seed."""

READERS = _names("""
    pandas.read_csv pandas.read_parquet pandas.read_feather pandas.read_table pandas.read_json
    pandas.read_excel pandas.read_orc pandas.read_fwf numpy.load numpy.loadtxt numpy.genfromtxt
""")
"""Callables whose first argument is the path of a file that they read."""

_NUMPY = _names("""
    all allclose amax amin angle any append arange argmax argmin argpartition argsort argwhere
    array array_equal array_split asarray ascontiguousarray asfortranarray atleast_1d atleast_2d
    average bincount broadcast_to ceil clip column_stack concatenate copy corrcoef count_nonzero
    cov cross cumprod cumsum delete diag diff digitize dot dstack dtype einsum empty empty_like
    expand_dims eye finfo flatnonzero flip full full_like histogram hstack identity iinfo
    in1d inner insert interp intersect1d isclose isin isscalar kron lexsort linspace log
    logspace matmul max mean median meshgrid min moveaxis nan_to_num nanargmax nanargmin nancumsum
    nanmax nanmean nanmedian nanmin nanpercentile nanquantile nanstd nansum nanvar ndim nonzero
    ones ones_like outer pad partition percentile polyfit polyval prod ptp quantile ravel repeat
    reshape result_type roll rollaxis rot90 round searchsorted select setdiff1d shape size sort
    split squeeze stack std sum swapaxes take take_along_axis tensordot tile trace transpose
    trapezoid tril triu union1d unique unravel_index unwrap vander var vdot vsplit vstack where
    zeros zeros_like float64 float32 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool_
""")
_PANDAS = _names("""
    Categorical CategoricalDtype DataFrame DatetimeIndex Index Interval IntervalIndex MultiIndex
    Period RangeIndex Series Timedelta Timestamp array bdate_range concat crosstab cut date_range
    factorize get_dummies isna isnull melt merge merge_asof notna notnull pivot pivot_table qcut
    to_datetime to_numeric to_timedelta unique NamedAgg
""")
_BUILTINS = _names("""
    abs all any bool bytes callable chr complex dict divmod enumerate filter float format frozenset
    getattr hasattr int isinstance issubclass len list map max min ord pow print range repr
    reversed round set slice sorted str sum tuple type zip staticmethod
""")
_ONCE = _names("enumerate filter map reversed zip")
"""Builtins that are pure, but whose result can be consumed only once."""

_SKLEARN = _names("""
    sklearn.base.clone sklearn.compose.make_column_selector sklearn.compose.make_column_transformer
    sklearn.model_selection.cross_val_predict sklearn.model_selection.cross_val_score
    sklearn.model_selection.cross_validate sklearn.pipeline.make_pipeline
    sklearn.pipeline.make_union sklearn.utils.check_array sklearn.utils.check_is_fitted
    sklearn.utils.check_X_y sklearn.utils.column_or_1d sklearn.utils.validate_data
""")
_OURS = _names("""
    apply_member assemble columns cut_member fit fit_transform fitted_of kernel_rows
    learn_family opaque_score own predictions prepare_use rows score transform transformed_of unite
    with_column
""")
OWN_FITS = _names("stratum.fit stratum.fit_transform stratum.unite")
"""Tasks that fit a clone: they change their input only if `writes_inputs`."""
OWN_USES = _names("stratum.predictions stratum.score stratum.transform")
"""Tasks that use a fitted estimator: likewise."""
OPAQUE = _names("stratum.assemble stratum.opaque_score")
"""Tasks that hand what they are given to code that may change it."""
_LIBRARIES: dict[str, frozenset[str]] = {
    "collections": _names("Counter OrderedDict defaultdict deque namedtuple"),
    "copy": _names("copy deepcopy"),
    "datetime": _names("date datetime time timedelta timezone"),
    "decimal": _names("Decimal"),
    "fractions": _names("Fraction"),
    "functools": _names("partial reduce"),
    "itertools": _names("""
        accumulate chain combinations combinations_with_replacement compress dropwhile
        filterfalse groupby islice pairwise permutations product repeat starmap takewhile
        zip_longest
    """),
    "json": _names("dumps loads"),
    "math": frozenset(name for name in vars(math) if not name.startswith("_")),
    "numpy.fft": _names("fft fftfreq ifft irfft rfft rfftfreq"),
    "numpy.linalg": _names("""
        cholesky cond det eig eigh eigvals eigvalsh inv lstsq matrix_power matrix_rank norm pinv
        qr slogdet solve svd
    """),
    "re": _names("compile escape findall fullmatch match search split sub subn"),
    "scipy.linalg": _names("det eigh inv lstsq norm pinv qr solve svd"),
    "scipy.sparse": _names("""
        bmat block_diag coo_array coo_matrix csc_array csc_matrix csr_array csr_matrix diags eye
        find hstack identity issparse kron vstack
    """),
    "scipy.special": _names("""
        boxcox boxcox1p erf erfc erfinv expit exprel gamma gammaln inv_boxcox log_softmax logit
        logsumexp ndtr ndtri softmax xlog1py xlogy
    """),
    "scipy.stats": _names("""
        entropy gmean hmean iqr kendalltau kurtosis median_abs_deviation mode moment pearsonr
        rankdata skew spearmanr trim_mean zscore
    """),
    "statistics": _names("fmean geometric_mean harmonic_mean mean median mode pstdev stdev"),
    "unicodedata": _names("category normalize"),
}
"""Of other libraries, by the module that users import them from."""

_NO_RANDOMNESS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Ridge": lambda p: p["solver"] not in ("sag", "saga"),
    "RidgeClassifier": lambda p: p["solver"] not in ("sag", "saga"),
    "Lasso": lambda p: p["selection"] == "cyclic",
    "ElasticNet": lambda p: p["selection"] == "cyclic",
    "LogisticRegression": lambda p: p["solver"] not in ("sag", "saga", "liblinear"),
    "PCA": lambda p: p["svd_solver"] in ("full", "covariance_eigh"),
    "SVC": lambda p: not p["probability"],
    "KFold": lambda p: not p["shuffle"],
    "StratifiedKFold": lambda p: not p["shuffle"],
    "StratifiedGroupKFold": lambda p: not p["shuffle"],
}
"""Classes with a ``random_state`` that draw nothing, under a condition on their parameters.

From the documentation of ``random_state`` of each class in scikit-learn 1.9.
"""

# -- looking things up -------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def _cached_name(func: Any) -> str | None:
    if type(func) is methodcaller:
        return "." + str(func.method)
    name = getattr(func, "__name__", None)
    module = getattr(func, "__module__", None) or ""
    if name is None:
        return None
    if isinstance(func, np.ufunc):
        if getattr(np, name, None) is func:
            return f"numpy.{name}"
        module = "scipy.special"
    if getattr(builtins, name, None) is func:
        return "getattr" if func is getattr else f"builtins.{name}"
    root = module.partition(".")[0]
    if root in ("_operator", "operator"):
        return f"operator.{name}" if getattr(operator, name, None) is func else None
    if root == "numpy":
        if getattr(np, name, None) is func:
            return f"numpy.{name}"
        if getattr(np.random, name, None) is func:
            return f"numpy.random.{name}"
    if root == "pandas":
        if getattr(pd, name, None) is func:
            return f"pandas.{name}"
        owners = (pd.DataFrame, pd.Series)
        return f".{name}" if any(getattr(o, name, None) is func for o in owners) else None
    if root == "sklearn":
        return f"sklearn.{module.split('.')[1]}.{name}"
    if module == "dask.dataframe.dask_expr._expr" and name == "assign":
        return "dask.assign"
    if root == "stratum_dask" and name in _OURS:
        return f"stratum.{name}"
    public = module if module in _LIBRARIES else ".".join(module.split(".")[:2])
    if public in _LIBRARIES and getattr(sys.modules.get(public), name, None) is func:
        return f"{public}.{name}"
    return None


def name_of(func: Callable[..., Any]) -> str | None:
    """Return the canonical name of a callable that we may know.

    Examples
    --------
    >>> import numpy as np, operator, pandas as pd
    >>> name_of(np.log1p), name_of(operator.add), name_of(pd.DataFrame.fillna)
    ('numpy.log1p', 'operator.add', '.fillna')
    >>> name_of(lambda: None) is None
    True
    """
    try:
        return _cached_name(func)
    except TypeError:  # unhashable
        return None


def is_pure(name: str, func: Any = None) -> bool:
    """Tell whether the callable of this name is pure, given seeds and files (see the sets).

    Examples
    --------
    >>> is_pure("numpy.log1p"), is_pure(".fillna"), is_pure(".to_csv")
    (True, True, False)
    """
    if name.startswith("."):
        method = name[1:]
        return method in PURE_METHODS or method in MUTATING_METHODS
    root, _, rest = name.partition(".")
    module, _, function = name.rpartition(".")
    if module in _LIBRARIES:
        return function in _LIBRARIES[module]
    if root == "numpy":
        return rest in _NUMPY or isinstance(getattr(np, rest, None), np.ufunc)
    if root == "sklearn":
        if rest.startswith("metrics.") or name in _SKLEARN:
            return True
        return isinstance(func, type) and (
            issubclass(func, BaseEstimator) or rest.startswith("model_selection.")
        )
    if root == "builtins":
        value = getattr(builtins, rest, None)
        return rest in _BUILTINS or (isinstance(value, type) and issubclass(value, BaseException))
    if root == "operator":
        return rest not in ("setitem", "delitem") and not rest.startswith("i")
    if root == "pandas":
        return rest in _PANDAS
    return name in ("getattr", "dask.assign") or (root == "stratum" and rest in _OURS)


def consumed_once(name: str) -> bool:
    """Tell whether a call returns an iterator, which two candidates could not share."""
    root, _, rest = name.partition(".")
    if root == "itertools":
        return True
    return (root == "builtins" and rest in _ONCE) or name in (".items", ".iterrows", ".itertuples")


def uses_randomness(estimator: Any) -> bool:
    """Tell whether fitting an estimator, or splitting with a splitter, draws without a seed.

    Parameters
    ----------
    estimator : object
        With the parameters it has; estimators inside it count.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn.linear_model import Ridge
    >>> uses_randomness(Ridge()), uses_randomness(RandomForestRegressor())
    (False, True)
    >>> uses_randomness(RandomForestRegressor(random_state=0))
    False
    """
    params = (
        estimator.get_params(deep=False) if hasattr(estimator, "get_params") else vars(estimator)
    )
    if "random_state" in params and not isinstance(params["random_state"], int | np.integer):
        condition = _NO_RANDOMNESS.get(type(estimator).__name__)
        if params["random_state"] is not None or condition is None or not condition(params):
            return True
    return any(map(_holds_random, params.values()))


def writes_inputs(estimator: Any) -> bool:
    """Tell whether an estimator was asked to work in the memory of its input.

    Parameters
    ----------
    estimator : object
        With the parameters it has; estimators inside it count.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> writes_inputs(Ridge()), writes_inputs(Ridge(copy_X=False))
    (False, True)
    """
    return any(asks_to_write(*item) for item in estimator.get_params(deep=True).items())


def asks_to_write(parameter: object, value: object) -> bool:
    """Tell whether a parameter of this name and value lets an estimator write into its input.

    Examples
    --------
    >>> asks_to_write("scaler__copy", False), asks_to_write("copy", True)
    (True, False)
    """
    if not isinstance(parameter, str) or value is None:
        return False
    name = parameter.rpartition("__")[2]
    if name.startswith("copy"):
        return value is not True
    return name.startswith("overwrite") and value is not False


def _holds_random(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_random, value))
    if isinstance(value, BaseEstimator):
        return uses_randomness(value)
    return False


@lru_cache(maxsize=1024)
def _is_library(module: str) -> bool:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module.startswith("stratum_dask."):  # the demo's candidates
        return False
    paths = sysconfig.get_paths()
    return any(file.startswith(paths[kind] + os.sep) for kind in ("purelib", "platlib", "stdlib"))


def of_library(func: Any) -> str | None:
    """Return the module of a function that an installed distribution or Python itself defines.

    Such functions count as pure if the table says so; their code is not read.

    Examples
    --------
    >>> import textwrap
    >>> of_library(textwrap.dedent), of_library(lambda: None)
    ('textwrap', None)
    """
    module = getattr(func, "__module__", None)
    return module if isinstance(module, str) and _is_library(module) else None


# -- what users declare ------------------------------------------------------------------------

_declared: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def declare_pure(func: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a function's result depends on its arguments alone; usable as a decorator.

    Parameters
    ----------
    func : callable

    Returns
    -------
    callable
        `func` itself.

    Examples
    --------
    >>> import stratum_dask as sd
    >>> @sd.pure
    ... def load(path):
    ...     ...
    """
    return _declare(func, True)


def declare_impure(func: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that every call of a function counts, so that none is merged with another.

    Parameters
    ----------
    func : callable

    Returns
    -------
    callable
        `func` itself.
    """
    return _declare(func, False)


def _declare(func: Callable[..., Any], pure: bool) -> Callable[..., Any]:
    _declared[func] = pure
    if isinstance(func, types.FunctionType):
        func.__stratum_pure__ = pure  # type: ignore[attr-defined]  # travels with the pickle
    return func


def declared(func: Any) -> bool | None:
    """Return what the user declared of a callable: pure, impure, or nothing."""
    try:
        if func in _declared:
            return _declared[func]
    except TypeError:  # unhashable, or not weakly referable
        pass
    found = (
        getattr(func, "__stratum_pure__", None) if isinstance(func, types.FunctionType) else None
    )
    return found
