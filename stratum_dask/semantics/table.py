"""The table: names of the callables that are understood, by what is known of them.

An allowlist. Whatever is not here is impure: it runs as often as the user wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


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
    cumcount nth fit_predict_proba as_ordered as_unordered autocorr between_time bit_length
    center expandtabs extract findall from_arrays from_codes from_dict
    from_product from_records from_tuples fromkeys fromordinal fullmatch get_depth get_indexer
    get_n_leaves get_support group groupdict groups hex iat is_integer isdecimal isdisjoint
    isnumeric isoweekday isspace issubset issuperset istitle kneighbors kneighbors_graph
    most_common nonzero pipe removeprefix removesuffix remove_unused_categories
    rename_categories reorder_levels rfind rindex search set_categories set_names
    staged_predict staged_predict_proba strptime swaplevel symmetric_difference timestamp
    to_bytes to_records to_string tocoo tril triu weekday add_categories
    add_prefix add_suffix as_unit asof convert_dtypes extractall isascii islower kurtosis
    last_valid_index ohlc rdivmod reindex_like remove_categories reorder_categories rpartition
    slice_replace to_flat_index to_pydatetime
""")
MUTATING_METHODS = _names("""
    append clear discard extend fill fit fit_predict fit_transform insert isetitem
    itemset partial_fit pop popitem put remove resize reverse set_output set_params setdefault
    setflags setitem sort update itemset set_flags
""")
FITTING = _names("fit fit_predict fit_transform partial_fit set_params set_output")
"""Methods of estimators that change their receiver; also their input, if `writes_inputs`."""
TAKING_ESTIMATORS = _names("""
    sklearn.base.clone sklearn.compose.make_column_transformer
    sklearn.model_selection.cross_val_predict sklearn.model_selection.cross_val_score
    sklearn.model_selection.cross_validate
    sklearn.pipeline.make_pipeline sklearn.pipeline.make_union
""")
"""Functions that fit estimators, or put them where they will be fitted."""
TRANSFORMING = _names("transform inverse_transform predict score")
"""Methods of estimators that change their input if `writes_inputs`, else nothing."""

TWO_MEANINGS = _names("add partition subtract")
"""Methods of frames and strings that return something new; sets, counters and arrays change."""

LOGGING = _names("debug info warning error exception critical")
"""Methods of loggers: allowed, and done once for all who share a task."""

VIEWS = _names("""
    operator.getitem getattr .array .conj .diagonal .get .ravel .reshape .squeeze .swapaxes
    .pipe .to_numpy .tocoo .tocsc .tocsr .transpose .values .view numpy.array_split numpy.asarray
    numpy.ascontiguousarray numpy.asfortranarray numpy.atleast_1d numpy.atleast_2d
    numpy.broadcast_to numpy.diag numpy.einsum numpy.expand_dims numpy.flip numpy.hsplit
    numpy.moveaxis numpy.ravel numpy.reshape numpy.rollaxis numpy.rot90 numpy.split numpy.squeeze
    numpy.swapaxes numpy.transpose numpy.vsplit
    scipy.sparse.coo_array scipy.sparse.coo_matrix scipy.sparse.csc_array scipy.sparse.csc_matrix
    scipy.sparse.csr_array scipy.sparse.csr_matrix sklearn.utils.check_array sklearn.utils.check_X_y
    sklearn.utils.column_or_1d sklearn.utils.validate_data
""")
"""Calls whose result may share memory with what they are given, outside pandas' protection."""

PASSING = VIEWS | _names("""
    builtins.dict builtins.enumerate builtins.filter builtins.list builtins.map builtins.max
    builtins.min builtins.reversed builtins.set builtins.sorted builtins.tuple builtins.zip
    collections.OrderedDict collections.defaultdict collections.deque copy.copy copy.deepcopy
    functools.reduce operator.add operator.or_ .copy .first .items .last .nth .pop .values .union
""")
"""Calls whose result may be, or hold, what they are given, or a part of it."""

SEEDED = _names("""
    .sample sklearn.metrics.silhouette_score sklearn.model_selection.train_test_split
    sklearn.utils.shuffle sklearn.utils.resample
""")
"""Callables that draw randomness unless they are given a seed."""
SAMPLING = {"sklearn.metrics.silhouette_score": "sample_size"}
"""Those of them that do only if they are given this, too."""
GENERATORS = _names("""
    numpy.random.default_rng numpy.random.RandomState sklearn.utils.check_random_state
""")
"""Makers of generators: local ones with a constant seed are harmless, others are state."""
DRAWING = _names("""
    beta binomial choice dirichlet exponential gamma geometric integers laplace logistic lognormal
    multinomial multivariate_normal normal permutation permuted poisson rand randint randn random
    random_sample shuffle standard_normal standard_t triangular uniform weibull
""")
"""Methods of such generators."""

CALLING = _names("""
    .agg .aggregate .apply .assign .combine .filter .groupby .map .mask .pipe .pivot_table .rename
    .rename_axis .replace .sort_index .sort_values .sub .transform .where builtins.filter
    builtins.map builtins.max builtins.min builtins.sorted collections.defaultdict
    functools.partial functools.reduce itertools.accumulate itertools.dropwhile
    itertools.filterfalse itertools.groupby itertools.starmap itertools.takewhile json.loads
    operator.getitem pandas.crosstab pandas.pivot_table re.sub re.subn
""")
"""Callables that call what they are given, with what else they are given."""

METHOD_OUTPUTS = {
    **dict.fromkeys(_names("all any argmax argmin choose dot max min ptp round"), 1),
    **dict.fromkeys(_names("clip compress cumprod cumsum mean prod std sum take var"), 2),
    "trace": 4,
}
"""Methods of arrays that write into an argument, by its position."""

WRITES_UNLESS_COPIED = _names("numpy.nan_to_num")
"""Functions that write into their argument when they are asked not to copy it."""

CLOCKS = _names("""
    numpy.array numpy.asarray pandas.DataFrame pandas.DatetimeIndex pandas.Index pandas.Period
    pandas.Series pandas.Timestamp pandas.array pandas.bdate_range pandas.date_range
    pandas.to_datetime
""")
"""Callables to which the strings "now" and "today" may mean the time of the call."""

READERS = _names("""
    pandas.read_csv pandas.read_parquet pandas.read_feather pandas.read_table pandas.read_json
    pandas.read_excel pandas.read_orc pandas.read_fwf numpy.load numpy.loadtxt numpy.genfromtxt
""")
"""Callables whose first argument is the path of a file that they read."""

NUMPY = _names("""
    all allclose amax amin angle any append arange argmax argmin argpartition argsort argwhere
    array array_equal array_split asarray ascontiguousarray asfortranarray atleast_1d atleast_2d
    average bincount broadcast_to ceil clip column_stack concatenate copy corrcoef count_nonzero
    cov cross cumprod cumsum delete diag diff digitize dot dstack dtype einsum empty empty_like
    errstate expand_dims eye finfo flatnonzero flip full full_like histogram hstack identity iinfo
    in1d inner insert interp intersect1d isclose isin isscalar kron lexsort linspace log
    logspace matmul max mean median meshgrid min moveaxis nan_to_num nanargmax nanargmin nancumsum
    nanmax nanmean nanmedian nanmin nanpercentile nanquantile nanstd nansum nanvar ndim nonzero
    ones ones_like outer pad partition percentile polyfit polyval prod ptp quantile ravel repeat
    reshape result_type roll rollaxis rot90 round searchsorted select setdiff1d shape size sort
    split squeeze stack std sum swapaxes take take_along_axis tensordot tile trace transpose
    trapezoid tril triu union1d unique unravel_index unwrap vander var vdot vsplit vstack where
    zeros zeros_like float64 float32 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool_
""")
PANDAS = _names("""
    Categorical CategoricalDtype DataFrame DatetimeIndex Index Interval IntervalIndex MultiIndex
    Period RangeIndex Series Timedelta Timestamp array bdate_range concat crosstab cut date_range
    factorize get_dummies isna isnull melt merge merge_asof notna notnull pivot pivot_table qcut
    to_datetime to_numeric to_timedelta unique NamedAgg
""")
BUILTINS = _names("""
    abs all any bool bytes callable chr complex dict divmod enumerate filter float format frozenset
    getattr hasattr int isinstance issubclass len list map max min object ord pow print range
    repr
    reversed round set slice sorted str sum tuple type zip staticmethod
""")
OPERATORS = _names("""
    abs add and_ concat contains countOf eq floordiv ge getitem gt index indexOf inv invert is_
    is_not itemgetter le length_hint lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub
    truediv truth xor
""")
"""Of the module `operator`: what neither writes nor calls a method of any name."""

CONSUMED_ONCE = _names("enumerate filter map reversed zip")
"""Builtins that are pure, but whose result can be consumed only once."""

SKLEARN = _names("""
    sklearn.base.clone sklearn.feature_selection.chi2 sklearn.feature_selection.f_classif
    sklearn.feature_selection.f_regression sklearn.feature_selection.r_regression
    sklearn.preprocessing.label_binarize
    sklearn.compose.make_column_selector sklearn.compose.make_column_transformer
    sklearn.model_selection.cross_val_predict sklearn.model_selection.cross_val_score
    sklearn.model_selection.cross_validate sklearn.pipeline.make_pipeline
    sklearn.pipeline.make_union sklearn.utils.check_array sklearn.utils.check_is_fitted
    sklearn.utils.check_X_y sklearn.utils.column_or_1d sklearn.utils.validate_data
""")
BOOSTERS = ("lightgbm.sklearn", "xgboost.sklearn")
"""Modules of other libraries whose classes are estimators of scikit-learn's kind."""
OURS = _names("""
    alone apply_member assemble bin_rows columns cut_fold cut_member fit fit_binned fit_transform
    fitted_of kernel_rows learn_binned learn_family learn_folds load_stored of_length opaque_score
    own predictions prepare_use rows score transform transformed_of unite with_column
""")
OWN_FITS = _names("stratum.fit stratum.fit_transform stratum.unite")
"""Tasks that fit a clone: they change their input only if `writes_inputs`."""
OWN_USES = _names("stratum.predictions stratum.score stratum.transform")
"""Tasks that use a fitted estimator: likewise."""
OPAQUE = _names("stratum.assemble stratum.opaque_score")
"""Tasks that hand what they are given to code that may change it."""
LIBRARIES: dict[str, frozenset[str]] = {
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
    "lightgbm.callback": _names("early_stopping log_evaluation"),
    "re": _names("compile escape findall fullmatch match search split sub subn"),
    "scipy.linalg": _names("det eigh inv lstsq norm pinv qr solve svd"),
    "scipy.signal": _names("detrend medfilt savgol_filter"),
    "scipy.spatial.distance": _names("cdist euclidean pdist squareform"),
    "scipy.sparse": _names("""
        bmat block_diag coo_array coo_matrix csc_array csc_matrix csr_array csr_matrix diags eye
        find hstack identity issparse kron vstack
    """),
    "scipy.special": _names("""
        boxcox boxcox1p erf erfc erfinv expit exprel gamma gammaln inv_boxcox log_softmax logit
        logsumexp ndtr ndtri softmax xlog1py xlogy
    """),
    "scipy.stats": _names("""
        boxcox chi2_contingency entropy f_oneway gmean hmean iqr kendalltau ks_2samp kurtosis
        mannwhitneyu median_abs_deviation mode moment pearsonr rankdata skew spearmanr trim_mean
        ttest_1samp ttest_ind ttest_rel yeojohnson zscore
    """),
    "statistics": _names("fmean geometric_mean harmonic_mean mean median mode pstdev stdev"),
    "unicodedata": _names("category normalize"),
}
"""Of other libraries, by the module that users import them from."""

NO_RANDOMNESS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Ridge": lambda p: p["solver"] not in ("sag", "saga"),
    "RidgeClassifier": lambda p: p["solver"] not in ("sag", "saga"),
    **dict.fromkeys(
        _names("Lasso LassoCV ElasticNet ElasticNetCV MultiTaskLasso MultiTaskElasticNet"),
        lambda p: p["selection"] == "cyclic",
    ),
    **dict.fromkeys(
        _names("LogisticRegression LogisticRegressionCV"),
        lambda p: p["solver"] not in ("sag", "saga", "liblinear"),
    ),
    "PCA": lambda p: p["svd_solver"] in ("full", "covariance_eigh"),
    # "deprecated" is what says in scikit-learn 1.9 that nobody asked for it.
    **dict.fromkeys(_names("SVC NuSVC"), lambda p: p["probability"] in (False, "deprecated")),
    "KFold": lambda p: not p["shuffle"],
    "StratifiedKFold": lambda p: not p["shuffle"],
    "StratifiedGroupKFold": lambda p: not p["shuffle"],
    "LGBMClassifier": lambda p: True,
    "LGBMRegressor": lambda p: True,
    "XGBClassifier": lambda p: True,
    "XGBRegressor": lambda p: True,
}
"""Classes with a ``random_state`` that draw nothing, under a condition on their parameters.

From the documentation of ``random_state`` of each class in scikit-learn 1.9; LightGBM and XGBoost
begin with seeds of their own unless they are given one.
"""
