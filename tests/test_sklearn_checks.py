import os
import re
import subprocess
import sys
from functools import partial
from importlib import import_module

import pytest
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from estimators import ANY_TABLE, MESSAGES, SKLEARN, STRICT, AnyPresenceOnlyClassifier, expected_failed_checks
from skgeo import SphericalHarmonicPCA
from skgeo.nn import ContrastiveLocationEncoder

TRANSFORMERS = [estimator for estimator in ANY_TABLE if hasattr(estimator, "transform")]

# Checks of transformers that scikit-learn has but parametrize_with_checks leaves out. Not among them is
# check_param_validation: it reads a private attribute of scikit-learn's own estimators.
LEFT_OUT = [
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


# The checks set n_components=1 on tables that need more.
FEW_COMPONENTS = pytest.mark.filterwarnings(
    "ignore:n_components=.*of the coordinates:skgeo.exceptions.ResolutionWarning"
)

# The checks have labels 0 and 1, and places near each other.
ONES_AND_ZEROS = pytest.mark.filterwarnings("ignore:y holds the numbers 0 and 1:skgeo.exceptions.CoordinateWarning")
SMALL_REGION = pytest.mark.filterwarnings("ignore:The background is the whole globe:skgeo.exceptions.CoordinateWarning")


@ONES_AND_ZEROS
@SMALL_REGION
@FEW_COMPONENTS
@parametrize_with_checks(ANY_TABLE)
def test_estimators_pass_every_check_on_any_table(estimator, check):
    if isinstance(estimator, AnyPresenceOnlyClassifier) and name_of(check) in expected_failed_checks(estimator):
        with pytest.raises(AssertionError):
            check(estimator)
        return
    check(estimator)


@ONES_AND_ZEROS
@SMALL_REGION
@parametrize_with_checks(STRICT)
def test_strict_estimators_fail_expected_checks_only(estimator, check):
    # Not by way of xfail, to which any failure is as good as the expected one.
    reason = expected_failed_checks(estimator).get(name_of(check))
    if reason is None:
        check(estimator)
        return
    with pytest.raises((ValueError, AssertionError)) as failure:
        check(estimator)
    messages = [str(error) for error in causes(failure.value)]
    assert any(re.search(MESSAGES[reason], message) for message in messages), messages


def public_estimators():
    modules = [import_module(name) for name in ("skgeo", "skgeo.encoders", "skgeo.nn")]
    found = {getattr(module, name) for module in modules for name in module.__all__}
    return {item for item in found if isinstance(item, type) and issubclass(item, BaseEstimator)}


def test_no_estimator_is_lost():
    assert {type(estimator) for estimator in STRICT} == public_estimators()
    assert {base for estimator in ANY_TABLE for base in type(estimator).__mro__} >= public_estimators()


@pytest.mark.parametrize("estimator", ANY_TABLE + STRICT, ids=lambda estimator: type(estimator).__name__)
def test_no_check_is_lost(estimator):
    if is_classifier(estimator) or is_regressor(estimator):
        # One is about several targets.
        expected = 62 if is_classifier(estimator) else 59 + get_tags(estimator).target_tags.multi_output
        expected += is_classifier(estimator) and "class_weight" in estimator.get_params(deep=False)
    else:
        expected = 54 if isinstance(estimator, SphericalHarmonicPCA) else 47  # seven are about sample weights
        expected += get_tags(estimator).target_tags.required  # one is about y
    collected = len(checks_of(estimator))
    if SKLEARN == (1, 9):
        assert collected == expected
    else:
        assert collected >= expected - 3  # of scikit-learn 1.6.0


@pytest.mark.parametrize("estimator", STRICT, ids=lambda estimator: type(estimator).__name__)
def test_tags_say_what_is_true(estimator):
    tags = get_tags(estimator)
    transforms = hasattr(estimator, "transform")
    learns_from_targets = not transforms or isinstance(estimator, ContrastiveLocationEncoder)
    if transforms:
        assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert tags.requires_fit
    assert tags.target_tags.required == learns_from_targets
    assert tags.target_tags.multi_output == is_regressor(estimator)
    assert not tags.input_tags.sparse
    assert not tags.input_tags.allow_nan


# The checks fit on frames and transform arrays, and the reverse, on purpose; scikit-learn's own tests ignore this too.
@FEW_COMPONENTS
@pytest.mark.filterwarnings("ignore:X does not have valid feature names, but:UserWarning")
@pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning")
@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=lambda estimator: type(estimator).__name__)
def test_estimators_pass_the_checks_that_are_left_out(estimator, name):
    assert name not in map(name_of, checks_of(estimator))
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


@pytest.mark.skipif(SKLEARN < (1, 7), reason="scikit-learn 1.6 needs array-api-compat for it")
def test_array_api_dispatch_changes_nothing():
    # SciPy reads the variable when it is imported; without it scikit-learn skips this check.
    code = (
        "from estimators import ANY_TABLE\n"
        "from sklearn.utils.estimator_checks import check_array_api_input_and_values as check\n"
        "for estimator in ANY_TABLE:\n"
        "    if 'max_epochs' in estimator.get_params():\n"
        "        estimator.set_params(max_epochs=2)\n"  # the same two trainings, however long
        "    check(type(estimator).__name__, estimator, array_namespace='numpy')\n"
    )
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.path.dirname(__file__)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def checks_of(estimator):
    return [check for _, check in parametrize_with_checks([estimator]).args[1]]


def name_of(check):
    return check.func.__name__ if isinstance(check, partial) else check.__name__


def causes(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
