"""Instances of every estimator for scikit-learn's checks, and the checks that are expected to fail, with the reason.

scikit-learn's checks feed tables of any width and value. Two families meet them: the classes as users have them, which
refuse most of these tables, and subclasses that override nothing but the one method through which every X passes, so
that any table becomes places.
"""

import numpy as np
import sklearn
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import validate_data

from skgeo import (
    LocationPriorClassifier,
    PatchPositionEncoder,
    PatchScaleFeaturizer,
    SphericalGaussianProcessClassifier,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
)
from skgeo._base import LocationTransformer
from skgeo._input.coordinates import Points
from skgeo._input.patch_table import Patches
from skgeo._kernels.sphere import Boxes
from skgeo.encoders import (
    Cartesian3DEncoder,
    DirectEncoder,
    GridEncoder,
    RadialBasisEncoder,
    RandomFourierEncoder,
    SphereCEncoder,
    SphereMEncoder,
    SphericalHarmonics,
    TheoryEncoder,
    WrapEncoder,
)
from skgeo.nn import (
    ContrastiveLocationEncoder,
    LocationClassifier,
    LocationRegressor,
    PresenceOnlyClassifier,
    PretrainedEncoder,
    ProjectionHeadClassifier,
    ProjectionHeadRegressor,
    SatCLIPWeights,
)

SKLEARN = tuple(int(number) for number in sklearn.__version__.split(".")[:2])


def read_any(estimator, X, reset):
    """Any table of numbers, with scikit-learn's own checks, and the names of its columns."""
    table = validate_data(estimator, X, reset=reset, dtype=(np.float64, np.float32))
    names = getattr(estimator, "feature_names_in_", None)
    return table, None if names is None else list(names)


def fold_points(table, columns):
    """Rows of any numbers -> points; equal rows to equal points, no latitude beyond 80 degrees."""
    latitude = 80.0 * np.tanh(_mixture(table, 0.3) / 4.0)
    return Points(latitude, 40.0 * _mixture(table, 1.9), table.dtype, columns)


def fold_patches(table, columns):
    """Rows of any numbers -> patches of 1 x 1 to 2 x 3 pixels, 2 to 4 degrees high and wide, around their points."""
    latitude, longitude, dtype, *_ = fold_points(table, columns)
    height, width = (1.0 + np.cos(_mixture(table, phase)) ** 2 for phase in (0.9, 2.5))
    n_lat, n_lon = (1 + np.round(np.abs(_mixture(table, n))).astype(np.intp) % n for n in (2, 3))
    edges = latitude - height, latitude + height, longitude - width, longitude + width
    return Patches(Boxes(*edges, n_lat, n_lon), dtype, columns)


def fold_features(table):
    """Rows of any numbers -> three times as many features, of which the last two pass for descriptors of scale."""
    return np.column_stack([table, np.cos(table), np.tanh(table)])


def _mixture(table, phase):
    """One number a row, from all of its columns."""
    return table.astype(np.float64) @ np.cos(1.7 * np.arange(table.shape[1]) + phase)


class AnyPoints:
    def _read(self, X, *, reset, **options):
        return fold_points(*read_any(self, X, reset))


class AnySphericalHarmonicPCA(AnyPoints, SphericalHarmonicPCA):
    pass


class AnyCartesian3DEncoder(AnyPoints, Cartesian3DEncoder):
    pass


class AnyDirectEncoder(AnyPoints, DirectEncoder):
    pass


class AnyGridEncoder(AnyPoints, GridEncoder):
    pass


class AnyRadialBasisEncoder(AnyPoints, RadialBasisEncoder):
    pass


class AnyRandomFourierEncoder(AnyPoints, RandomFourierEncoder):
    pass


class AnySphereCEncoder(AnyPoints, SphereCEncoder):
    pass


class AnySphereMEncoder(AnyPoints, SphereMEncoder):
    pass


class AnySphericalHarmonics(AnyPoints, SphericalHarmonics):
    pass


class AnyTheoryEncoder(AnyPoints, TheoryEncoder):
    pass


class AnyWrapEncoder(AnyPoints, WrapEncoder):
    pass


class AnyLocationClassifier(AnyPoints, LocationClassifier):
    pass


class AnyLocationRegressor(AnyPoints, LocationRegressor):
    pass


class AnyPresenceOnlyClassifier(AnyPoints, PresenceOnlyClassifier):
    pass


class AnyLocationPriorClassifier(LocationPriorClassifier):
    def _read(self, X, *, reset):
        latitude, longitude, *_ = fold_points(*read_any(self, X, reset))
        # The images of these tables show nothing: all classes are as likely.
        return np.column_stack([latitude, longitude]), np.ones((len(latitude), len(self.classes_)))


class AnySphericalGaussianProcessClassifier(AnyPoints, SphericalGaussianProcessClassifier):
    pass


class AnySphericalGaussianProcessRegressor(AnyPoints, SphericalGaussianProcessRegressor):
    pass


class InSample:
    """One split that trains and tests on all rows: folds would differ between weights and repeated rows."""

    def __repr__(self):
        # Names of tests hold it: all processes of a run collect the same names.
        return "InSample()"

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1

    def split(self, X, y=None, groups=None):
        yield np.arange(len(X)), np.arange(len(X))


class AnySphericalGaussianProcessRegressorWithCovariates(SphericalGaussianProcessRegressor):
    def _read_with_covariates(self, X, *, reset):
        table, columns = read_any(self, X, reset)
        if reset:
            self._n_covariates, self._covariate_names = 2, None
        # The checks have up to twice as many columns as rows: sums of some of them are few.
        return fold_points(table, columns), np.cos(table[:, :1] + table[:, -1:] * [0.0, 1.0])


class AnyPretrainedEncoder(AnyPoints, PretrainedEncoder):
    pass


class AnyContrastiveLocationEncoder(AnyPoints, ContrastiveLocationEncoder):
    pass


class AnyProjectionHeadClassifier(ProjectionHeadClassifier):
    def _read(self, X, *, reset):
        return fold_features(read_any(self, X, reset)[0])


class AnyProjectionHeadRegressor(ProjectionHeadRegressor):
    def _read(self, X, *, reset):
        return fold_features(read_any(self, X, reset)[0])


class AnyPatchPositionEncoder(PatchPositionEncoder):
    def _read(self, X, *, reset, **options):
        return fold_patches(*read_any(self, X, reset))


class AnyPatchScaleFeaturizer(PatchScaleFeaturizer):
    def _read(self, X, *, reset, **options):
        return fold_patches(*read_any(self, X, reset))


CORNERS = [[-60.0, 10.0], [-20.0, 130.0], [0.0, -100.0], [35.0, -20.0], [70.0, 60.0]]


def satclip_arrays(legendre_polys, hidden_dim, n_outputs, n_layers=2, seed=0):
    """Random weights of a network of SatCLIP, distributed as at the start of its training."""
    rng, arrays, width = np.random.default_rng(seed), {}, legendre_polys**2
    for layer, size in [*((f"layers.{i}", hidden_dim) for i in range(n_layers)), ("last_layer", n_outputs)]:
        bound = 1 / width if layer == "layers.0" else np.sqrt(6 / width)
        arrays[f"{layer}.weight"] = rng.uniform(-bound, bound, (size, width))
        arrays[f"{layer}.bias"] = rng.uniform(-bound, bound, size)
        width = size
    return arrays


def geoclip_arrays(n_capsules, n_frequencies, hidden_dim, n_outputs, seed=0):
    """Random weights of a location encoder of GeoCLIP in float32, with frequencies of several scales."""
    rng, arrays = np.random.default_rng(seed), {}
    layers = {"capsule.1": 2 * n_frequencies, "capsule.3": hidden_dim, "capsule.5": hidden_dim, "head.0": hidden_dim}
    for i in range(n_capsules):
        arrays[f"LocEnc{i}.capsule.0.b"] = rng.normal(0, 4.0**i, (n_frequencies, 2))
        for layer, width in layers.items():
            size = n_outputs if layer == "head.0" else hidden_dim
            arrays[f"LocEnc{i}.{layer}.weight"] = rng.normal(0, width**-0.5, (size, width))
            arrays[f"LocEnc{i}.{layer}.bias"] = rng.normal(0, 0.1, size)
    return {name: values.astype(np.float32) for name, values in arrays.items()}


#: Training in which neither the order of samples nor their number matters, only their weight.
EXACTLY = {"learning_rate": 0.05, "patience": None, "batch_size": None, "dtype": "float64"}

#: Hyperparameters of a Gaussian process.
FIELD = {"variance": 100.0, "length_scale_km": 2200.0, "smoothness": 1.5}
FIXED = FIELD | {"variance": 1.0, "noise": 0.01}

ANY_TABLE = [
    AnySphericalHarmonicPCA(max_degree=3),
    AnySphericalHarmonicPCA(max_degree=2, n_components=0.9, spectrum="matern", clip=None, area_weighted=False),
    AnyPatchPositionEncoder(SphericalHarmonicPCA(max_degree=2)),
    AnyPatchPositionEncoder(FrozenEstimator(SphericalHarmonicPCA(max_degree=2, n_components=3).fit(CORNERS))),
    AnyPatchPositionEncoder(GridEncoder(3)),
    AnyPatchPositionEncoder(SphericalHarmonicPCA(max_degree=2), average="exact"),
    AnyPatchScaleFeaturizer(),
    AnyPatchScaleFeaturizer(earth_radius=1.0, log=False),
    AnyCartesian3DEncoder(),
    AnyDirectEncoder(),
    AnyGridEncoder(3),
    AnyRadialBasisEncoder(8000.0),
    AnyRandomFourierEncoder(8, random_state=0),
    AnySphereCEncoder(2, plus=True, units="radians"),
    AnySphereMEncoder(2, periodic=True),
    AnySphericalHarmonics(2, min_degree=1, spectrum="matern"),
    AnyTheoryEncoder(2),
    AnyWrapEncoder(),
    AnyLocationClassifier("cartesian3d", "siren", hidden_dim=16, max_epochs=30, **EXACTLY),
    AnyLocationClassifier("wrap", "mlp", max_epochs=20, **EXACTLY),
    AnyLocationRegressor(SphericalHarmonics(14), "linear", max_epochs=30, **EXACTLY),
    AnyLocationRegressor("wrap", "siren", max_epochs=40, **(EXACTLY | {"learning_rate": 0.01})),
    AnyPresenceOnlyClassifier("cartesian3d", hidden_dim=16, max_epochs=20, n_background=100, **EXACTLY),
    AnyLocationPriorClassifier(make_pipeline(Cartesian3DEncoder(), LogisticRegression()), cv=InSample()),
    AnySphericalGaussianProcessClassifier(**FIELD),
    AnySphericalGaussianProcessClassifier(method="neighbours", n_neighbors=5, class_weight="balanced", **FIELD),
    # A weight is not as many observations to hyperparameters that are found.
    AnySphericalGaussianProcessRegressor(**FIXED),
    AnySphericalGaussianProcessRegressor(method="neighbours", n_neighbors=5, **FIXED),
    AnySphericalGaussianProcessRegressorWithCovariates(mean="linear", **FIXED),
    AnySphericalGaussianProcessRegressorWithCovariates(mean=LinearRegression(), cv=InSample(), **FIXED),
    AnySphericalGaussianProcessRegressor(method="harmonics", max_degree=14, normalize_y=False, **FIXED),
    AnyPretrainedEncoder(SatCLIPWeights(satclip_arrays(3, 8, 5))),
    AnyContrastiveLocationEncoder("cartesian3d", hidden_dim=8, embed_dim=4, max_epochs=2, dtype="float64"),
    AnyProjectionHeadClassifier(2, embed_dim=8, max_epochs=30, **EXACTLY),
    AnyProjectionHeadRegressor(2, embed_dim=16, max_epochs=60, **EXACTLY),
]
STRICT = [
    SphericalHarmonicPCA(max_degree=3),
    PatchPositionEncoder(SphericalHarmonicPCA(max_degree=2)),
    PatchScaleFeaturizer(),
    Cartesian3DEncoder(),
    DirectEncoder(),
    GridEncoder(),
    RadialBasisEncoder(8000.0),
    RandomFourierEncoder(8),
    SphereCEncoder(),
    SphereMEncoder(),
    SphericalHarmonics(2),
    TheoryEncoder(),
    WrapEncoder(),
    LocationClassifier("direct", "siren", hidden_dim=16, max_epochs=30, **EXACTLY),
    LocationRegressor("direct", "siren", hidden_dim=16, max_epochs=10, **EXACTLY),
    PresenceOnlyClassifier("direct", hidden_dim=16, max_epochs=10, n_background=100, **EXACTLY),
    LocationPriorClassifier(LogisticRegression(), cv=InSample()),
    SphericalGaussianProcessClassifier(**FIELD),
    SphericalGaussianProcessRegressor(),
    PretrainedEncoder(SatCLIPWeights(satclip_arrays(3, 8, 5))),
    ContrastiveLocationEncoder("direct", hidden_dim=8, embed_dim=4, max_epochs=2, dtype="float64"),
    ProjectionHeadClassifier(1, embed_dim=8, max_epochs=10, **EXACTLY),
    ProjectionHeadRegressor(1, embed_dim=8, max_epochs=10, **EXACTLY),
]

TWO_COLUMNS = "the check's table has other than the two columns latitude and longitude"
SIX_COLUMNS = "the check's table has other than the six columns of a patch"
IN_DEGREES = "the check's first column has values around 100, which are no latitudes"
SPARSE = "the check's table is sparse, which scikit-learn 1.6 does not spare estimators of dense tables"
TWO_FEATURES = "of the check's two features the head's LayerNorm leaves which one is larger"
BY_NAME = "the check's frame names its columns 0 and 1, and frames are read by name"

EACH_SPECIES = "the check expects one column for two classes, and rows of probabilities that sum to one"
IMAGE_COLUMNS = "the check's table has no column of image probabilities for each class"

#: The message with which a check that is expected to fail has to fail, for each reason.
MESSAGES = {
    TWO_COLUMNS: r"X has \d+ features, but 2 are expected",
    SIX_COLUMNS: r"X has \d+ features, but 6 are expected",
    IN_DEGREES: r"X has latitudes outside \[-90, 90\] degrees",
    SPARSE: "X is sparse: sparse data is not supported",
    BY_NAME: r"X has the columns \[0, 1\]: no latitude and longitude among them",
    IMAGE_COLUMNS: r"X has \d+ features, but |no image probabilities: expected \d+ columns|expected probabilities",
    EACH_SPECIES: "",
    TWO_FEATURES: "^$",  # a bare assertion that the training accuracy is large
}

_ANY_WIDTH = (
    "check_array_api_input",
    "check_complex_data",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_nan_inf",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
)
_TRANSFORMERS_OF_ANY_WIDTH = (
    *_ANY_WIDTH,
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
)
_WEIGHTS_OF_ANY_WIDTH = (
    "check_all_zero_sample_weights_error",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weights_list",
)
_TWO_WIDE = (
    "check_estimators_fit_returns_self",
    "check_estimators_overwrite_params",
    "check_readonly_memmap_input",
)
_TWO_WIDE_AROUND_100 = ("check_fit_check_is_fitted", "check_fit_idempotent", "check_n_features_in")

_MODELS_OF_ANY_WIDTH = (*_ANY_WIDTH, *_WEIGHTS_OF_ANY_WIDTH, "check_supervised_y_2d")
_CLASSIFIERS_OF_ANY_WIDTH = (
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_regression_target",
)
_OF_EACH_SPECIES = ("check_classifiers_classes", "check_classifiers_train", "check_decision_proba_consistency")
_WITH_IMAGES = (
    "check_classifier_data_not_an_array",
    "check_classifiers_classes",
    "check_classifiers_train",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_predict1d",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_shape",
    "check_supervised_y_2d",
)
_REGRESSORS_OF_ANY_WIDTH = (
    "check_regressor_data_not_an_array",
    "check_regressor_multioutput",
    "check_regressors_int",
    "check_regressors_no_decision_function",
    "check_regressors_train",
)


def expected_failed_checks(estimator):
    """Name -> reason of the checks that an estimator fails, nearly all of them by refusing the check's table."""
    if isinstance(estimator, AnyPresenceOnlyClassifier):
        return dict.fromkeys(_OF_EACH_SPECIES, EACH_SPECIES)
    if isinstance(estimator, LocationPriorClassifier):
        failing = dict.fromkeys(_WITH_IMAGES, IMAGE_COLUMNS) | {"check_fit2d_1feature": TWO_COLUMNS}
        failing |= {"check_sample_weights_pandas_series": BY_NAME}
        failing |= {"check_sample_weight_equivalence_on_sparse_data": SPARSE}
        return failing | dict.fromkeys(_TWO_WIDE_AROUND_100, IN_DEGREES)
    if isinstance(estimator, ProjectionHeadClassifier):
        return {"check_classifiers_train": TWO_FEATURES}
    if isinstance(estimator, ProjectionHeadRegressor):
        return {}
    gaussian_processes = SphericalGaussianProcessClassifier | SphericalGaussianProcessRegressor
    classifiers = LocationClassifier | PresenceOnlyClassifier | SphericalGaussianProcessClassifier
    if isinstance(estimator, classifiers | LocationRegressor | gaussian_processes):
        classifies = isinstance(estimator, classifiers)
        others = _CLASSIFIERS_OF_ANY_WIDTH if classifies else _REGRESSORS_OF_ANY_WIDTH
        by_name = ["check_sample_weights_pandas_series", *["check_classifier_data_not_an_array"] * classifies]
        failing = dict.fromkeys(_MODELS_OF_ANY_WIDTH + others, TWO_COLUMNS)
        if isinstance(estimator, PresenceOnlyClassifier):
            failing |= dict.fromkeys(_OF_EACH_SPECIES, EACH_SPECIES)
        failing |= {"check_sample_weight_equivalence_on_sparse_data": SPARSE}
        return failing | dict.fromkeys(_TWO_WIDE_AROUND_100, IN_DEGREES) | dict.fromkeys(by_name, BY_NAME)
    if isinstance(estimator, LocationTransformer):
        failing = dict.fromkeys(_TRANSFORMERS_OF_ANY_WIDTH, TWO_COLUMNS) | dict.fromkeys(
            _TWO_WIDE_AROUND_100, IN_DEGREES
        )
        if isinstance(estimator, SphericalHarmonicPCA):
            failing |= dict.fromkeys(_WEIGHTS_OF_ANY_WIDTH, TWO_COLUMNS)
            failing |= {"check_sample_weights_pandas_series": BY_NAME}
            failing |= {"check_sample_weight_equivalence_on_sparse_data": SPARSE}
        return failing
    return dict.fromkeys(_TRANSFORMERS_OF_ANY_WIDTH + _TWO_WIDE + _TWO_WIDE_AROUND_100, SIX_COLUMNS)
