"""The fitted attributes of Gaussian processes that files may hold, by the names of their classes in files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skgeo._output.schema import (
    LARGE,
    POSITIVE,
    AnyOf,
    Array,
    Dict,
    Flag,
    Integer,
    Labels,
    ListOf,
    Number,
    Part,
    Rule,
    Schema,
    Sizes,
    Strings,
    Text,
    check,
    check_degrees,
    squarable,
)

__all__ = ["GAUSSIAN_PROCESSES"]

_SIZE = Number(low=1.0 / LARGE, high=LARGE)
# Rounding of the length of a unit vector.
_UNIT_TOLERANCE = 1e-9


def _counts(size: str, low: int = 0) -> Array:
    """The rule for an array of whole numbers."""
    return Array((size,), "i", low=low)


_OBSERVATIONS: dict[str, Rule] = {
    "vectors": Array(("places", 3), low=-1.0 - _UNIT_TOLERANCE, high=1.0 + _UNIT_TOLERANCE, double=True),
    "columns": squarable(("places", "columns")),
    "weight": Array(("places",), low=POSITIVE, high=LARGE, double=True),
    "multiplicity": _counts("places", 1),
    "log_weight": Array(("places",), double=True),
    "deviations": squarable(("deviations", "columns")),
    "place_of_deviation": _counts("deviations"),
}
# The state of a process with a Matern kernel: observations, and the coefficients of the mean.
_MATERN: dict[str, Rule] = {
    "mean": squarable(("outputs",)),
    "scale": Array(("outputs",), low=1.0 / LARGE, high=LARGE, double=True),
    "observations": Dict(rules=_OBSERVATIONS),
    "n_constant": Integer(0, 1),
    "design_mean": squarable(("design",)),
    "design_scale": Array(("design",), low=1.0 / LARGE, high=LARGE, double=True),
    "used": _counts("used"),
    "coefficients": squarable(("used", "outputs")),
    "precision": squarable(("used", "used")),
    "value": Number(),
}
# A fit of nearest neighbours adds groups of near observations, with the columns that the mean uses.
_GROUPED: dict[str, Rule] = _MATERN | {
    "groups": Dict(
        rules={
            "vectors": Array(("groups", 3), low=-1.0 - _UNIT_TOLERANCE, high=1.0 + _UNIT_TOLERANCE, double=True),
            "columns": squarable(("groups", "used columns")),
            "noise": Array(("groups",), low=0.0, high=LARGE, double=True),
        }
    )
}
# The state of a process of harmonics: sums over the observations, and the weights of the harmonics.
_HARMONICS: dict[str, Rule] = {
    "value": Number(),
    "mean": squarable(("outputs",)),
    "scale": Array(("outputs",), low=1.0 / LARGE, high=LARGE, double=True),
    "sums": Dict(
        rules={
            "weight": squarable(("doubled",)),
            "target": squarable(("outputs", "harmonics")),
            "square": squarable(("outputs",)),
            "shift": squarable(("outputs",)),
            "log_weight": Number(),
            "n_observations": Integer(1),
        }
    ),
    "posterior": Dict(
        rules={
            "mean": squarable(("outputs", "harmonics")),
            "factor": squarable(("harmonics", "harmonics")),
            "spread": squarable(("doubled",)),
        }
    ),
}
# Labels: the approximate posterior of the log odds at each place, for each model of one class against the others.
_LABELS: dict[str, Rule] = {
    "vectors": _OBSERVATIONS["vectors"],
    "mean": squarable(("models", "places")),
    "pull": squarable(("models", "places")),
    "precision": Array(("models", "places"), low=0.0, high=LARGE, double=True),
    "constant": squarable(("models",)),
    "constant_variance": Array(("models",), low=0.0, high=LARGE, double=True),
}


def _check_regressor(state: Mapping[str, Any], sizes: Sizes) -> None:
    """The sizes of the arrays agree, and the mean has one coefficient for each column that it uses."""
    process = state["_state"]
    if state["method_"] == "harmonics":
        check("_state", "sums" in process, sorted(process), "the state of method_='harmonics'")
        check_degrees(state, sizes)
        # Variances of predictions are sums of squares over the rows of the factor.
        factor = process["posterior"]["factor"]
        check("factor", bool((np.diagonal(factor) > 0.0).all()), factor, "positive numbers on the diagonal")
        return
    check("_state", "observations" in process, sorted(process), f"the state of method_={state['method_']!r}")
    grouped = state["method_"] == "neighbours"
    check("_state", ("groups" in process) == grouped, sorted(process), "groups with method_='neighbours' only")
    if grouped:
        n_used = sizes["outputs"] + sizes["used"]
        check("groups", sizes["used columns"] == n_used, sizes["used columns"], f"{n_used} columns")
        _check_vectors(process["groups"]["vectors"])
    observations = process["observations"]
    _check_vectors(observations["vectors"])
    n_design, n_columns = sizes["design"], sizes["outputs"] + sizes["design"]
    check(
        "columns", sizes["columns"] == n_columns, sizes["columns"], f"{n_columns} columns, of targets and of the mean"
    )
    # The mean is a constant; or takes all covariates; or the predictions of a regressor, which are one column.
    n_mean = 1 if "mean_model_" in state else state["_n_covariates"]
    known = n_design in (process["n_constant"], process["n_constant"] + n_mean)
    check("design_mean", known, n_design, f"a mean of {process['n_constant'] + n_mean} columns")
    place, used = observations["place_of_deviation"], process["used"]
    check("place_of_deviation", bool((place < sizes["places"]).all()), place, f"places below {sizes['places']}")
    ascending = bool((np.diff(used) > 0).all() and (used < n_design).all())
    check("used", ascending, used, f"ascending columns below {n_design}")
    precision = process["precision"]
    # eigvalsh reads one triangle only.
    symmetric = np.allclose(precision, precision.T, rtol=1e-6, atol=0.0)
    positive = symmetric and bool((np.linalg.eigvalsh(precision) > 0.0).all()) if precision.size else True
    check("precision", bool(positive), precision, "a symmetric positive definite matrix")


def _check_classifier(state: Mapping[str, Any], sizes: Sizes) -> None:
    """There is no model for one class, one for two classes, and one for each of three or more classes."""
    expected = {1: 0, 2: 1}.get(sizes["classes"], sizes["classes"])
    check("_state", sizes["models"] == expected, sizes["models"], f"{expected} models for {sizes['classes']} classes")
    _check_vectors(state["_state"]["vectors"])


def _check_vectors(vectors: Any) -> None:
    """Places are unit vectors, at least one."""
    lengths = np.linalg.norm(vectors, axis=1)
    unit = bool((np.abs(lengths - 1.0) <= _UNIT_TOLERANCE).all())
    check("vectors", unit and len(vectors) > 0, vectors, "unit vectors")


_NAMED: dict[str, Rule] = {"feature_names_in_": Strings(("features",))}
# What the parameter smoothness accepts, and a little more: a search may end beside a bound. Lengths in km from a
# micrometre to far beyond the Earth. Other numbers make kernels of NaN.
_SMOOTHNESS, _LENGTHS = (0.099, 10.1), (1e-9, 1e9)
_KERNELS = Array(("models",), low=POSITIVE, high=LARGE, double=True)

GAUSSIAN_PROCESSES: dict[str, Schema] = {
    "skgeo.SphericalGaussianProcessRegressor": Schema(
        {
            "n_features_in_": Integer(1, size="features"),
            "_n_covariates": Integer(0),
            "_flat": Flag(),
            "_state": AnyOf((Dict(rules=_HARMONICS), Dict(rules=_GROUPED), Dict(rules=_MATERN))),
            "method_": Text(("exact", "neighbours", "harmonics")),
            "variance_": _SIZE,
            "length_scale_km_": Number(low=_LENGTHS[0], high=_LENGTHS[1]),
            "smoothness_": Number(low=_SMOOTHNESS[0], high=_SMOOTHNESS[1]),
            "noise_": Number(low=0.0, high=LARGE),
            "theta_": Array(("hyperparameters",), finite=False),
            "log_marginal_likelihood_value_": Number(),
            "target_mean_": squarable(("outputs",)),
            "target_scale_": Array(("outputs",), low=1.0 / LARGE, high=LARGE),
            "mean_": squarable(("outputs",)),
            "noise_std_": AnyOf((Number(low=0.0, high=LARGE), Array(("outputs",), low=0.0, high=LARGE))),
            "n_observations_": Integer(1),
        },
        _NAMED
        | {
            "_covariate_names": AnyOf((Text(optional=True), ListOf(Text()))),
            "mean_model_": Part(("predict",)),
            "coef_": Array(None, low=-LARGE, high=LARGE),
            # Columns that are combinations of others have the deviation NaN.
            "coef_std_": Array(None, low=0.0, finite=False),
            "intercept_": AnyOf((Number(), Array(("outputs",)))),
            "spectrum_": Array(("degrees",), low=0.0, high=LARGE),
            "truncation_error_": Number(),
        },
        _check_regressor,
    ),
    "skgeo.SphericalGaussianProcessClassifier": Schema(
        {
            "n_features_in_": Integer(1, size="features"),
            "classes_": Labels(),
            "method_": Text(("exact", "neighbours")),
            "_state": Dict(rules=_LABELS),
            "variance_": _KERNELS,
            "smoothness_": Array(("models",), low=_SMOOTHNESS[0], high=_SMOOTHNESS[1], double=True),
            "length_scale_km_": Array(("models",), low=_LENGTHS[0], high=_LENGTHS[1], double=True),
            "constant_": squarable(("models",)),
        },
        _NAMED,
        _check_classifier,
    ),
}
