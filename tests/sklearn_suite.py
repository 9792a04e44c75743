"""A pytest plugin: scikit-learn's own tests import our classes and functions for its own.

python -m pytest -p tests.sklearn_suite --pyargs sklearn.model_selection.tests.test_search
"""

import pytest
import sklearn.model_selection

import stratum_dask.model_selection

for name in stratum_dask.model_selection.__all__:
    setattr(sklearn.model_selection, name, getattr(stratum_dask.model_selection, name))

STACK = "looks for the search among the callers of a fit, which runs on another thread"
SKIPPED = {
    "test_multi_metric_search_forwards_metadata": STACK,
    "test_validation_functions_routing[cross_validate-extra_args0]": STACK,
    "test_validation_functions_routing[cross_val_score-extra_args1]": STACK,
    "test_validation_functions_routing[cross_val_predict-extra_args2]": STACK,
}


def pytest_collection_modifyitems(items):
    for item in items:
        reason = SKIPPED.get(item.name) or SKIPPED.get(getattr(item, "originalname", ""))
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
