"""The fitted attributes of scikit-learn's estimators that files may hold, by the names of their classes.

Attributes that no rule names are accepted: later versions of scikit-learn may have others.
"""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skgeo._output.schema import (
    AnyOf,
    Array,
    Dict,
    DType,
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
    Tuple,
    check,
)

__all__ = ["SKLEARN_SCHEMAS"]

_POSITIVE = 5e-324
_WIDTH: dict[str, Rule] = {"n_features_in_": Integer(1, size="features")}
# Attributes that the constructors of some classes set, although they are no parameters of these classes.
_CONSTANTS = ("l1_ratio", "precompute", "positive", "gcv_mode", "alpha_per_target")
_PLAIN = AnyOf((Number(optional=True), Text(), Flag()))
_NAMED: dict[str, Rule] = {"feature_names_in_": Strings(("features",)), **dict.fromkeys(_CONSTANTS, _PLAIN)}
_LABELS = Labels()
# Numbers, texts, or objects of a column. OneHotEncoder and others look values up in them.
_CATEGORIES = ListOf(Array(None, "biufUO", finite=False), size="features")
# A number for each column; NaN where a column had no numbers.
_COLUMN = Array(("features",), "biuf", finite=False)
_COLUMN_OR_NONE = Array(("features",), "biuf", finite=False, optional=True)
_SCALES = Array(("features",), low=_POSITIVE, finite=False, optional=True)
_COUNT = AnyOf((Number(low=0.0), Array(("features",), "if", low=0.0)))
# A transformer of a union or of columns, or the word in its place.
_TRANSFORMER = Part(("transform", "fit_transform"), ("passthrough", "drop"))
_UNION_PART = Part(("transform", "fit_transform"), ("passthrough", "drop"), fitted=False)
_STEP = Part(("fit", "transform"), (None, "passthrough"), fitted=False)
_SELECTION: Rule = AnyOf((ListOf(AnyOf((Integer(low=-(2**62)), Text(), Flag()))), Text(), Integer(low=-(2**62))))


class _Slice:
    """A slice of numbers, or of names of columns."""

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check type and ends."""
        check(where, isinstance(value, slice), value, "a slice")
        for end in (value.start, value.stop, value.step):
            check(where, end is None or isinstance(end, str | int), end, "a slice of numbers or names")
        check(where, value.step != 0, value, "a slice with steps")


def _scaler(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Scalers have the attributes that their parameters ask for, and numbers for columns that had numbers."""
    centre = "mean_" if "with_mean" in state else "center_"
    needed = {centre: "with_mean" if "with_mean" in state else "with_centering"}
    needed["scale_"] = "with_std" if "with_std" in state else "with_scaling"
    seen = np.broadcast_to(state.get("n_samples_seen_", 0), (sizes["features"],))
    for key, parameter in needed.items():
        values = state[key]
        check(key, (values is not None) == bool(state[parameter]) or key == "mean_", values, f"as {parameter} says")
        check(key, values is not None or not state[parameter], values, f"as {parameter} says")
        check(key, values is None or bool(np.isfinite(values[seen > 0]).all()), values, "finite numbers")


def _linear(state: Mapping[str, Any], sizes: Sizes) -> None:
    """The intercept fits the coefficients, which have one row for each class, or one row for two classes."""
    coefficients, intercept = state["coef_"], state["intercept_"]
    rows = coefficients.shape[:-1]
    fits = np.ndim(intercept) == 0 or np.shape(intercept) == rows or (rows == () and np.shape(intercept) == (1,))
    check("intercept_", fits, intercept, f"one number, or shape {rows}")
    if "classes_" in state:
        n_classes = sizes["classes"]
        two = n_classes == 2 and rows in ((), (1,))
        check("coef_", n_classes >= 2 and (two or rows == (n_classes,)), coefficients, "one row for each class")


def _union(state: Mapping[str, Any], sizes: Sizes) -> None:
    """All parts of a FeatureUnion were fitted on the same columns."""
    check("FeatureUnion.transformer_list", len(state["transformer_list"]) > 0, 0, "at least one transformer")
    widths = {getattr(part, "n_features_in_", None) for _, part in state["transformer_list"]} - {None}
    check("FeatureUnion.transformer_list", len(widths) <= 1, len(widths), "parts that were fitted on the same table")


def _powers(state: Mapping[str, Any], sizes: Sizes) -> None:
    """The number of products of columns follows from the degree."""
    degree, width = state["degree"], sizes["features"]
    low, high = degree if isinstance(degree, tuple | list) and len(degree) == 2 else (0, degree)
    valid = all(isinstance(end, int) and 0 <= end <= 1000 for end in (low, high))
    check("PolynomialFeatures.degree", valid, degree, "an integer or two, up to 1000")
    ends = state["_min_degree"], state["_max_degree"]
    check("PolynomialFeatures._max_degree", ends == (low, high), ends, f"{low}, {high}")
    count, full = int(bool(state["include_bias"])), 1
    for power in range(1, high + 1):
        number = math.comb(width, power) if state["interaction_only"] else math.comb(width + power - 1, power)
        count, full = count + number * (power >= low), full + number
        check("PolynomialFeatures.degree", count < 2**31, degree, "a degree of fewer columns")
    check("n_output_features_", state["n_output_features_"] == count, state["n_output_features_"], f"{count}")
    whole = full if state["include_bias"] or low else full - 1
    check("_n_out_full", state["_n_out_full"] in (full, full - 1), state["_n_out_full"], f"{whole}")


def _steps(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Each step of a fitted Pipeline gives as many columns as the next one was fitted on."""
    steps = [step for _, step in state["steps"] if step is not None and not isinstance(step, str)]
    for step, following in pairwise(steps):
        expected = getattr(following, "n_features_in_", None)
        if expected is None or not hasattr(step, "get_feature_names_out"):
            continue
        try:
            width = len(step.get_feature_names_out())
        except (AttributeError, NotFittedError):  # not all transformers have names
            continue
        check(f"{type(following).__name__}.n_features_in_", width == expected, expected, f"{width}")


def _categories(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Categories of a column lie along one axis, and the dropped categories are among them."""
    kind = np.dtype(state["dtype"]).kind  # TypeError if it is no dtype
    check("dtype", kind in "biufO", str(state["dtype"]), "a dtype of numbers")
    lengths = []
    for values in state["categories_"]:
        check("categories_", values.ndim == 1 and values.size > 0, values, "categories along one axis")
        plain = values.dtype.kind != "O" or all(
            value is None or isinstance(value, str | int | float | np.generic) for value in values
        )
        check("categories_", plain, values, "texts or numbers")
        lengths.append(values.size)
    for name in ("drop_idx_", "_drop_idx_after_grouping"):
        dropped = state.get(name)
        if dropped is not None:
            check(name, np.shape(dropped) == (len(lengths),), dropped, f"shape {(len(lengths),)}")
            for index, length in zip(dropped, lengths, strict=True):
                whole = isinstance(index, int | np.integer) and 0 <= index < length
                check(name, index is None or whole, index, "None or the index of a category")
    if state["_infrequent_enabled"]:
        _rare_categories(state, lengths)


def _rare_categories(state: Mapping[str, Any], lengths: list[int]) -> None:
    """Each column has the indices of its rare categories, and the index of each category in the output; or neither."""
    names = ("_infrequent_indices", "_default_to_infrequent_mappings")
    for name in names:
        values = state.get(name)
        check(name, isinstance(values, list) and len(values) == len(lengths), values, f"a list of {len(lengths)}")
    for rare, mapping, length in zip(*(state[name] for name in names), lengths, strict=True):
        if rare is None and mapping is None:
            continue
        Array(("rare",), "iu", low=0, high=length - 1).check(names[0], rare, {})
        Array((length,), "iu", low=0, high=length - rare.size).check(names[1], mapping, {})
        check(names[0], np.unique(rare).size == rare.size, rare, "indices, each one once")


def _columns(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Columns that a ColumnTransformer hands on are those that it was fitted on."""
    for name, columns in state["_transformer_to_input_indices"].items():
        inside = all(0 <= column < sizes["features"] for column in columns)
        check(f"columns of {name[:40]}", inside, columns, f"columns below {sizes['features']}")
    given, fitted = state["transformers"], state["transformers_"]
    check("transformers_", len(fitted) >= len(given), len(fitted), f"at least {len(given)} transformers")
    names = {name for name, _, _ in fitted}
    for key in ("_transformer_to_input_indices", "output_indices_"):
        check(key, names <= set(state[key]) <= names | {"remainder"}, sorted(state[key]), "the names of transformers_")
    for name, transformer, _ in fitted:
        columns, width = state["_transformer_to_input_indices"][name], getattr(transformer, "n_features_in_", None)
        check(f"columns of {name[:40]}", width in (None, len(columns)), columns, f"{width} columns")


def _schema(required: dict[str, Rule], optional: dict[str, Rule] | None = None, relation: Any = None) -> Schema:
    """The schema of an estimator of scikit-learn, which may have attributes of other names."""
    return Schema(required, _NAMED | (optional or {}), relation, open=True)


# Versions of scikit-learn differ in whether a single output has an axis.
_COEFFICIENTS = AnyOf((Array(("features",)), Array(("outputs", "features"))))
_INTERCEPT = AnyOf((Number(), Array(None)))
_REGRESSOR = _schema(
    _WIDTH | {"coef_": _COEFFICIENTS, "intercept_": _INTERCEPT},
    None,
    _linear,
)
_CLASSIFIER = _schema(
    _WIDTH | {"coef_": Array(("outputs", "features")), "intercept_": _INTERCEPT, "classes_": _LABELS}, None, _linear
)
_RIDGE_CLASSIFIER = _schema(
    _WIDTH | {"coef_": _COEFFICIENTS, "intercept_": _INTERCEPT, "_label_binarizer": Part(("transform",))},
    {"classes_": _LABELS},
    _linear,
)
# Bayesian regressors give a deviation as well.
_BAYES = _schema(
    _WIDTH | {"coef_": Array(("features",)), "intercept_": Number(), "alpha_": Number(low=_POSITIVE)},
    {
        "lambda_": AnyOf((Number(), Array(("features",)))),
        "sigma_": Array(("supported", "supported")),
        "X_offset_": _COLUMN,
        "X_scale_": _COLUMN,
    },
    _linear,
)
_DECOMPOSITION: dict[str, Rule] = {
    "components_": Array(("components", "features")),
    "explained_variance_": Array(("components",), low=0.0, finite=False),
    "explained_variance_ratio_": Array(("components",), finite=False),
    "singular_values_": Array(("components",), finite=False),
}
_WIDTH_ONLY = _schema(_WIDTH)

SKLEARN_SCHEMAS: dict[str, Schema] = {
    **dict.fromkeys(
        (
            "ElasticNet",
            "ElasticNetCV",
            "HuberRegressor",
            "Lasso",
            "LassoCV",
            "LinearRegression",
            "MultiTaskElasticNet",
            "MultiTaskElasticNetCV",
            "MultiTaskLasso",
            "MultiTaskLassoCV",
            "Ridge",
            "RidgeCV",
        ),
        _REGRESSOR,
    ),
    **dict.fromkeys(("ARDRegression", "BayesianRidge"), _BAYES),
    **dict.fromkeys(("LogisticRegression", "LogisticRegressionCV"), _CLASSIFIER),
    **dict.fromkeys(("RidgeClassifier", "RidgeClassifierCV"), _RIDGE_CLASSIFIER),
    **dict.fromkeys(("Binarizer", "Normalizer"), _WIDTH_ONLY),
    "FunctionTransformer": _schema({}, {"n_features_in_": Integer(0, size="features")}),
    "FrozenEstimator": Schema({"estimator": Part(("fit", "transform", "predict"), fitted=False)}, open=True),
    "PCA": _schema(
        _WIDTH | _DECOMPOSITION | {"mean_": Array(("features",)), "n_components_": Integer(size="components")},
        {"noise_variance_": Number(low=0.0)},
    ),
    "TruncatedSVD": _schema(_WIDTH | _DECOMPOSITION),
    "VarianceThreshold": _schema(_WIDTH | {"variances_": _COLUMN}),
    "MissingIndicator": _schema(
        _WIDTH
        | {
            "features_": Array(("indicated",), "iu", low=0),
            "_n_features": Integer(1, size="features"),
            "_precomputed": Flag(),
        }
    ),
    "SimpleImputer": _schema(
        _WIDTH
        | {
            "statistics_": Array(("features",), "biufOUS", finite=False),
            "indicator_": Part(("transform",), (None,)),
            "_fit_dtype": DType(),
        },
        {
            "_fill_dtype": DType(),
        },
    ),
    "KBinsDiscretizer": _schema(
        _WIDTH | {"bin_edges_": Array(("features",), "O"), "n_bins_": Array(("features",), "iu", low=1)},
        {"_encoder": Part(("transform",))},
    ),
    "LabelBinarizer": _schema(
        {
            "classes_": _LABELS,
            "y_type_": Text(("binary", "multiclass", "multilabel-indicator")),
            "sparse_input_": Flag(),
        }
    ),
    "LabelEncoder": _schema({"classes_": AnyOf((_LABELS, Array(("classes",), "Mm")))}),
    "MaxAbsScaler": _schema(_WIDTH | {"scale_": _SCALES, "max_abs_": _COLUMN}, {"n_samples_seen_": _COUNT}),
    "MinMaxScaler": _schema(
        _WIDTH | {"scale_": _COLUMN, "min_": _COLUMN},
        {
            "data_min_": _COLUMN,
            "data_max_": _COLUMN,
            "data_range_": _COLUMN,
            "n_samples_seen_": _COUNT,
        },
    ),
    "OneHotEncoder": _schema(
        _WIDTH
        | {
            "categories_": _CATEGORIES,
            "drop_idx_": Array(("features",), "Oi", optional=True),
            "_drop_idx_after_grouping": Array(("features",), "Oi", optional=True),
            "_infrequent_enabled": Flag(),
            "_n_features_outs": ListOf(Integer(), size="features"),
        },
        None,
        _categories,
    ),
    "OrdinalEncoder": _schema(
        _WIDTH | {"categories_": _CATEGORIES, "_infrequent_enabled": Flag(), "_missing_indices": Dict()},
        None,
        _categories,
    ),
    "PolynomialFeatures": _schema(
        _WIDTH
        | {
            "n_output_features_": Integer(),
            "_min_degree": Integer(),
            "_max_degree": Integer(),
            "_n_out_full": Integer(),
        },
        None,
        _powers,
    ),
    "PowerTransformer": _schema(_WIDTH | {"lambdas_": _COLUMN}, {"_scaler": Part(("transform",))}),
    "QuantileTransformer": _schema(
        _WIDTH
        | {
            "n_quantiles_": Integer(1, size="quantiles"),
            "references_": Array(("quantiles",), low=0.0, high=1.0),
            "quantiles_": Array(("quantiles", "features"), finite=False),
        }
    ),
    "RobustScaler": _schema(_WIDTH | {"center_": _COLUMN_OR_NONE, "scale_": _SCALES}, None, _scaler),
    "StandardScaler": _schema(
        _WIDTH | {"mean_": _COLUMN_OR_NONE, "scale_": _SCALES, "n_samples_seen_": _COUNT},
        {"var_": _COLUMN_OR_NONE},
        _scaler,
    ),
    "Pipeline": Schema({"steps": ListOf(Tuple((Text(), _STEP)))}, relation=_steps, open=True),
    "FeatureUnion": Schema(
        {
            "transformer_list": ListOf(Tuple((Text(), _UNION_PART))),
            "transformer_weights": Dict(Number(), optional=True),
            "n_jobs": Integer(low=-1024, high=1024, optional=True),
            "verbose": Flag(),
            "verbose_feature_names_out": Flag(),
        },
        relation=_union,
        open=True,
    ),
    "ColumnTransformer": _schema(
        _WIDTH
        | {
            "transformers_": ListOf(Tuple((Text(), _TRANSFORMER, AnyOf((_SELECTION, _Slice()))))),
            "_transformer_to_input_indices": Dict(ListOf(Integer())),
            "output_indices_": Dict(_Slice()),
            "sparse_output_": Flag(),
        },
        {"_n_features": Integer(1, size="features")},
        _columns,
    ),
    "TransformedTargetRegressor": Schema(
        {"regressor_": Part(("predict",)), "transformer_": Part(("inverse_transform",)), "_training_dim": Integer(1)},
        _NAMED,
        open=True,
    ),
}
