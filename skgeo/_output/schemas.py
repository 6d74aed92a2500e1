"""The fitted attributes of the classes of skgeo that files may hold, by their names in files.

A new fitted attribute of an estimator is a new line here. Without it, saving the estimator fails.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from skgeo._output.schema import (
    LARGE,
    POSITIVE,
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
    check_degrees,
    squarable,
)
from skgeo._output.schemas_gp import GAUSSIAN_PROCESSES

__all__ = ["FIXED_ENCODER", "SCHEMAS"]


def _check_latlon(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Latitudes rise or fall and lie in their rows, cells have an area, and a mask leaves something."""
    _check_mask(state, (sizes["rows"], sizes["columns"]))
    check("LatLonGrid.shape", tuple(state["shape"]) == (sizes["rows"], sizes["columns"]), state["shape"], "its axes")
    latitude, rows, columns = (state[name] for name in ("latitude", "latitude_edges", "longitude_edges"))
    steps = np.diff(latitude)
    monotone = bool((steps > 0.0).all() or (steps < 0.0).all())
    check("LatLonGrid.latitude", monotone, latitude, "latitudes that rise or fall")
    for name, edges, widest in (("latitude_edges", rows, 180.0), ("longitude_edges", columns, 360.0 + 1e-6)):
        widths = edges[:, 1] - edges[:, 0]
        valid = bool((widths > 0.0).all() and np.ptp(edges) <= widest)
        check(f"LatLonGrid.{name}", valid, edges, "edges of cells with an area, once around the Earth at most")
    inside = bool(((rows[:, 0] - 1e-6 <= latitude) & (latitude <= rows[:, 1] + 1e-6)).all())
    check("LatLonGrid.latitude", inside, latitude, "latitudes inside their rows")


def _check_cells(state: Mapping[str, Any], sizes: Sizes) -> None:
    """All arrays have the shape of the grid, and both coordinates are missing in the same cells, but not in all."""
    shape = state["latitude"].shape
    check("CellGrid.shape", tuple(state["shape"]) == shape and len(shape) in (1, 2), state["shape"], "that of latitude")
    for name in ("longitude", "solid_angles"):
        values = state[name]
        check(f"CellGrid.{name}", values is None or values.shape == shape, values, f"shape {shape}")
    _check_mask(state, shape)
    check("CellGrid._sources", "areas" in state["_sources"], sorted(state["_sources"]), "sources with areas")
    order, n_cells = state["_put_in_order"], math.prod(shape)
    check("CellGrid._put_in_order", order is None or bool((order < n_cells).all()), order, f"cells below {n_cells}")
    absent = np.isnan(state["latitude"])
    alike = bool((absent == np.isnan(state["longitude"])).all()) and not bool(absent.all())
    check(
        "CellGrid.longitude", alike, state["longitude"], "NaN where latitude is NaN, and some cells that have a place"
    )
    angles = state["solid_angles"]
    valid = angles is None or not angles[absent].any()
    check("CellGrid.solid_angles", valid, angles, "zero where latitude is NaN")


def _check_mask(state: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """A mask has the shape of the grid, and is not zero everywhere."""
    mask = state["mask"]
    check("mask", mask is None or (mask.shape == shape and bool(mask.any())), mask, f"shape {shape}, not all zero")


def _check_anchors(state: Mapping[str, Any], sizes: Sizes) -> None:
    """There is at least one anchor, and anchors are vectors of length one."""
    anchors = state["anchors_"]
    valid = len(anchors) > 0 and bool((abs(np.linalg.norm(anchors, axis=1) - 1.0) < 1e-9).all())
    check("anchors_", valid, anchors, "vectors of length one, at least one of them")


def _check_waves(state: Mapping[str, Any], sizes: Sizes) -> None:
    """There are two columns, cosine and sine, for each random wave."""
    columns = state.get("n_components")
    fits = isinstance(columns, int | np.integer) and int(columns) // 2 == sizes["waves"]
    check("n_components", fits, columns, f"that of the fit, which has {sizes['waves']} waves")


def _check_presence_only(state: Mapping[str, Any], sizes: Sizes) -> None:
    """The background has the columns of the inputs, and each covariate has a name if any has one."""
    _check_weights(state, sizes)
    n_covariates, names = sizes["covariates"], state["_covariate_names"]
    check("background_", sizes["inputs"] == 2 + n_covariates, state["background_"], f"{2 + n_covariates} columns")
    fits = names is None or len(names) == n_covariates
    check("_covariate_names", fits, names, f"the names of {n_covariates} covariates")


def _check_weights(state: Mapping[str, Any], sizes: Sizes) -> None:
    """Weights of a network are arrays of at most four axes."""
    for key in ("weights_", "_moments"):
        for name, values in state.get(key, {}).items():
            check(f"{key}[{name[:40]!r}]", values.ndim <= 4 and values.dtype.itemsize <= 8, values, "at most 4 axes")


# Attributes that any fitted estimator may have.
_NAMED: dict[str, Rule] = {"feature_names_in_": Strings(("features",))}
_PLACES: dict[str, Rule] = {"n_features_in_": Integer(1, 2, size="features")}
_PATCHES: dict[str, Rule] = {"n_features_in_": Integer(6, 6, size="features")}
FIXED_ENCODER = Schema(_PLACES, _NAMED)
_EDGES = ("rows", 2), ("columns", 2)
_WEIGHTS = Dict(Array(None, low=-1e30, high=1e30))

_NETWORK: dict[str, Rule] = {
    "_seed": Integer(high=2**64 - 1),
    "weights_": Dict(Array(None, "fi")),
    "loss_curve_": Array(("epochs",)),
    "validation_loss_curve_": Array(("validated",)),
    "n_epochs_": Integer(1, size="epochs"),
    "best_epoch_": Integer(1),
}
_LOCATION: dict[str, Rule] = _PLACES | {
    "_network": Tuple((Text(), Dict(rules={}, values=Number()))),
    "encoder_": Part(("to_torch", "transform")),
}
_HEAD: dict[str, Rule] = {
    "n_features_in_": Integer(2, size="features"),
    "n_position_": Integer(1),
    "_widths": Tuple((Integer(1), Integer(1, optional=True))),
    "scale_mean_": Array(("descriptors",), low=-LARGE, high=LARGE),
    "scale_std_": Array(("descriptors",), low=POSITIVE, high=LARGE),
}
_CLASSIFIER: dict[str, Rule] = {"classes_": Labels(), "_class_weights": Array(("classes",), low=0.0)}
# The classes of an indicator matrix are its columns in their order; other classes are sorted labels.
_SPECIES = AnyOf((Labels(), Array(("classes",), "iuf"), Strings(("classes",))))
_PRESENCE_ONLY: dict[str, Rule] = {
    "classes_": _SPECIES,
    "_class_weights": Array(("classes",), low=0.0),
    "n_features_in_": Integer(1, size="features"),
    "_multilabel": Flag(),
    "_loss_name": Text(("full", "slds", "ssdl", "maxent", "poisson")),
    "n_records_": Array(("classes",), low=0.0),
    "intercept_": Array(("classes",)),
    "_cloglog_intercept": Array(("classes",)),
    "_log_rate": Array(("classes",)),
    "background_": squarable(("background", "inputs")),
    "background_weight_": Array(("background",), low=POSITIVE, high=1.0 + 1e-9),
    "_n_covariates": Integer(0, size="covariates"),
    "_covariate_names": AnyOf((Text(optional=True), ListOf(Text()))),
    "_covariate_mean": squarable(("covariates",)),
    "_covariate_scale": Array(("covariates",), low=POSITIVE, high=LARGE, double=True),
}
_REGRESSOR: dict[str, Rule] = {
    "_flat": Flag(),
    "target_mean_": Array(("outputs",)),
    "target_scale_": Array(("outputs",), low=POSITIVE),
}
_TRAINED: dict[str, Rule] = _NAMED | {"_moments": Dict(Array(None, "f"))}
_RETRIEVAL: dict[str, Rule] = {
    "k": Array(("ks",), "i", low=1),
    "image_to_place": Array(("ks",), low=0.0, high=1.0),
    "place_to_image": Array(("ks",), low=0.0, high=1.0),
    "chance": Array(("ks",), low=0.0, high=1.0),
}


SCHEMAS: dict[str, Schema] = GAUSSIAN_PROCESSES | {
    "skgeo.LatLonGrid": Schema(
        {
            "latitude": Array(("rows",), low=-90.0, high=90.0, double=True),
            "longitude": Array(("columns",), low=-1e6, high=1e6, double=True),
            "latitude_edges": Array(_EDGES[0], low=-90.0, high=90.0, double=True),
            "longitude_edges": Array(_EDGES[1], low=-1e6, high=1e6, double=True),
            "mask": Array(("rows", "columns"), "bf", low=0.0, high=1.0, optional=True, double=True),
            "shape": Tuple((Integer(1), Integer(1))),
            "closed": Flag(),
            "dtype": DType(("f4", "f8")),
            "_sources": Dict(Text()),
        },
        relation=_check_latlon,
    ),
    "skgeo.CellGrid": Schema(
        {
            "latitude": Array(None, low=-90.0, high=90.0, finite=False, double=True),
            "longitude": Array(None, low=-1e6, high=1e6, finite=False, double=True),
            "mask": Array(None, "bf", low=0.0, high=1.0, optional=True, double=True),
            "solid_angles": Array(None, low=0.0, high=4.1 * math.pi, optional=True, double=True),
            "shape": ListOf(Integer(1)),
            "dtype": DType(("f4", "f8")),
            "_sources": Dict(Text()),
            "_put_in_order": Array(("reordered",), "iu", low=0, optional=True),
        },
        relation=_check_cells,
    ),
    "skgeo.SphericalHarmonicPCA": Schema(
        _PLACES
        | {
            "_coefficients": squarable(("doubled",)),
            "_area": Number(low=0.0, high=LARGE, finite=False),
            "total_weight_": Number(low=0.0, high=LARGE),
            "mean_": squarable(("harmonics",)),
            "shannon_number_": Number(low=0.0, high=LARGE),
            "n_components_": Integer(size="components"),
            "components_": squarable(("components", "harmonics")),
            "explained_variance_": Array(("components",), low=0.0, high=LARGE),
            "explained_variance_ratio_": Array(("components",), low=0.0, high=LARGE),
            "scale_": Array(("components",), low=1.0 / LARGE, high=LARGE),
        },
        _NAMED,
        check_degrees,
    ),
    "skgeo.encoders.RadialBasisEncoder": Schema(
        _PLACES | {"anchors_": squarable(("anchors", 3))}, _NAMED, _check_anchors
    ),
    "skgeo.encoders.RandomFourierEncoder": Schema(
        _PLACES | {"frequencies_": squarable(("waves", 3))}, _NAMED, _check_waves
    ),
    "skgeo.PatchPositionEncoder": Schema(_PATCHES | {"encoder_": Part(("transform",))}, _NAMED),
    "skgeo.LocationPriorClassifier": Schema(
        {
            "n_features_in_": Integer(1, size="features"),
            "classes_": _SPECIES,
            "_n_covariates": Integer(2),
            "_covariate_names": AnyOf((Text(optional=True), ListOf(Text()))),
            "prior_": Part(("predict_proba",)),
            "class_prior_": Array(("classes",), low=POSITIVE, high=1.0),
            "temperature_": Number(low=POSITIVE),
            "prior_weight_": Number(low=0.0),
        },
        _NAMED,
    ),
    "skgeo.PatchScaleFeaturizer": Schema(_PATCHES, _NAMED),
    "skgeo.nn.LocationClassifier": Schema(_NETWORK | _LOCATION | _CLASSIFIER, _TRAINED, _check_weights),
    "skgeo.nn.LocationRegressor": Schema(_NETWORK | _LOCATION | _REGRESSOR, _TRAINED, _check_weights),
    "skgeo.nn.PresenceOnlyClassifier": Schema(_NETWORK | _LOCATION | _PRESENCE_ONLY, _TRAINED, _check_presence_only),
    "skgeo.nn.ProjectionHeadClassifier": Schema(_NETWORK | _HEAD | _CLASSIFIER, _TRAINED, _check_weights),
    "skgeo.nn.ProjectionHeadRegressor": Schema(_NETWORK | _HEAD | _REGRESSOR, _TRAINED, _check_weights),
    "skgeo.nn.ContrastiveLocationEncoder": Schema(
        _NETWORK
        | _LOCATION
        | {
            "_embed_dim": Integer(1),
            "_first_temperature": Number(low=POSITIVE),
            "feature_mean_": Array(("image_features",)),
            "feature_scale_": Array(("image_features",), low=POSITIVE),
            "temperature_": Number(low=POSITIVE),
        },
        _TRAINED | {"retrieval_": Dict(rules=_RETRIEVAL)},
        _check_weights,
    ),
    "skgeo.nn.PretrainedEncoder": FIXED_ENCODER,
    # Weights check the names, shapes and numbers of their arrays when their state is set.
    "skgeo.nn.SatCLIPWeights": Schema({"arrays": _WEIGHTS, "harmonics_calculation": Text()}),
    "skgeo.nn.GeoCLIPWeights": Schema({"arrays": _WEIGHTS}),
    "skgeo.nn.TrainingState": Schema(
        {
            "seed": Integer(high=2**64 - 1),
            "fingerprint": Text(),
            "state": Dict(
                rules={
                    "losses": ListOf(Number(), size="epochs"),
                    "validation_losses": ListOf(Number()),
                    "best": Tuple((Number(high=math.inf, finite=False), Integer(), Dict(Array(None, "fi")))),
                    "weights": Dict(Array(None, "fi")),
                    "moments": Dict(Array(None, "f")),
                    "generators": Dict(Array(("bytes",), "u")),
                }
            ),
        }
    ),
}
