"""What tests/fuzz/run.py found, each as its smallest input."""

import warnings

import numpy as np
import pytest

from skgeo import (
    CellGrid,
    LatLonGrid,
    PatchScaleFeaturizer,
    SphericalGaussianProcessRegressor,
    SphericalHarmonicPCA,
    degree_wavelength_km,
)
from skgeo._kernels.equal_area import band_counts
from skgeo.datasets import fibonacci_lattice
from skgeo.encoders import SphericalHarmonics, WrapEncoder
from skgeo.exceptions import CoordinateError, ResolutionWarning
from skgeo.nn._satclip_weights import SatCLIPWeights

PLACES = fibonacci_lattice(20)


def test_an_indicator_may_be_a_numpy_bool():
    model = WrapEncoder(add_indicator=np.True_).fit(PLACES)
    assert model.get_feature_names_out()[-1] == "missing_location"
    assert model.transform(PLACES).shape == (20, 5)


@pytest.mark.parametrize("south", [0.0, 89.99999999999996, 90.0])
def test_patches_without_height_are_refused(south):
    # they had an area of zero, whose logarithm is no number
    thin = [[south, {0.0: 5e-324, 90.0: 90.0 + 9e-10}.get(south, 90.0), 0.0, 10.0, 1, 1]]
    with pytest.raises(CoordinateError, match="south must be less than north, by more than rounding"):
        PatchScaleFeaturizer().fit(thin)


def test_the_thinnest_patches_have_descriptors():
    thin = [[90.0 - 1e-12, 90.0, 0.0, 1e-12, 2**31 - 1, 2**31 - 1], [0.0, 1e-13, 0.0, 360.0, 1, 1]]
    assert np.isfinite(PatchScaleFeaturizer().fit_transform(thin)).all()


@pytest.mark.parametrize("radius", [1e-300, 1e300, 10**200, 0.0, -1.0, np.nan, "1", None])
def test_radii_whose_square_is_no_number(radius):
    message = "expected a positive number of metres, from 1e-100 to 1e"
    with pytest.raises(ValueError, match=f"earth_radius=.*{message}"):
        PatchScaleFeaturizer(radius).fit([[0, 1, 0, 1, 1, 1]])
    for grid in (LatLonGrid([0, 1], [0, 1]), CellGrid([0.0, 1.0], [0.0, 1.0], areas=[1e10, 1e10])):
        for areas in (grid.cell_areas, grid.domain_area):
            with pytest.raises(ValueError, match=f"radius=.*{message}"):
                areas(radius)


def test_a_radius_in_single_precision():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for radius in (np.float32(3.3), np.float16(3.3)):
            single = PatchScaleFeaturizer(radius, log=False).fit_transform([[0, 1, 0, 1, 1, 1]])
            double = PatchScaleFeaturizer(float(radius), log=False).fit_transform([[0, 1, 0, 1, 1, 1]])
            assert np.array_equal(single, double)
            grid = LatLonGrid([0, 1], [0, 1])
            assert np.array_equal(grid.cell_areas(radius), grid.cell_areas(float(radius)))


def test_a_single_precision_axis_within_rounding():
    grid = LatLonGrid([0, 10], np.float32([0.0, 1e-6, 2e-6]))
    assert np.array_equal(grid.longitude, np.float32([0.0, 1e-6, 2e-6]))
    grid = LatLonGrid(np.float32([0, 10]), np.float32([0.0, 1e-6, 2e-6]))
    assert np.array_equal(grid.longitude, np.float32([0.0, 1e-6, 2e-6]).astype(float))


@pytest.mark.parametrize("axis", [[0.0, 5e-324], [0.0, 1e-300], [10.0, 10.0 + 2e-14, 20.0]])
def test_cells_without_extent(axis):
    # fitting on them was a "math domain error"
    with pytest.raises(CoordinateError, match="latitude has . cells without extent, the first at position 0"):
        LatLonGrid(axis, [0.0, 10.0])
    with pytest.raises(CoordinateError, match="longitude (has . cells without extent|must rise or fall throughout)"):
        LatLonGrid([0.0, 10.0], axis)
    SphericalHarmonicPCA(1).fit(LatLonGrid([-45, 45], np.arange(0, 360, 10)))


@pytest.mark.parametrize("value", [1j, object(), "a", None])
def test_what_is_no_array(value):
    with pytest.raises(CoordinateError, match="areas is .*: expected an array of numbers"):
        CellGrid([0.0, 1.0], [0.0, 1.0], areas=value if value is not None else np.array(None))


@pytest.mark.parametrize("y", [1e160, -1e300])
def test_targets_whose_squares_are_no_numbers(y):
    model = SphericalGaussianProcessRegressor()
    with pytest.raises(ValueError, match=r"y has values up to 1e\+.*: expected at most 1e\+100. Change their unit"):
        model.fit(PLACES, np.full(20, y))
    assert not hasattr(model, "theta_")


@pytest.mark.parametrize("y", [1e160, -1e300])
def test_targets_of_networks_whose_squares_are_no_numbers(y):
    pytest.importorskip("torch")
    from skgeo import nn

    with pytest.raises(ValueError, match="y has values up to"):
        nn.LocationRegressor("wrap", "linear").fit(PLACES, np.full(20, y))


@pytest.mark.parametrize(("weight", "message"), [(1e200, r"sample_weight has values up to"), (1e-200, "below 1e-100")])
def test_weights_whose_squares_are_no_numbers(weight, message):
    weights = np.append(np.ones(19), weight)
    with pytest.raises(ValueError, match=message):
        SphericalGaussianProcessRegressor().fit(PLACES, np.arange(20.0), sample_weight=weights)


def test_weights_whose_sum_is_no_number():
    with pytest.raises(ValueError, match=r"sample_weight has values up to 1e\+308: expected at most 1e\+300"):
        SphericalHarmonicPCA(2).fit(PLACES, sample_weight=np.full(20, 1e308))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e4, -1e4])
def test_hyperparameters_that_are_no_numbers(value):
    model = SphericalGaussianProcessRegressor().fit(PLACES, np.arange(20.0))
    with pytest.raises(ValueError, match=r"theta=.*: expected logarithms of numbers from 1e-100 to 1e\+100"):
        model.log_marginal_likelihood(np.full(model.theta_.shape, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [("variance", 1e-300), ("variance", 10**150), ("noise", 1e300), ("length_scale_km", 1e-7), ("smoothness", 1e4)],
)
def test_hyperparameters_that_overflow(name, value):
    message = f"{name}={value!r}".replace("+", r"\+") + ": expected None or a number from (1e-|0.0001 to|0.1 to 10)"
    with pytest.raises(ValueError, match=message):
        SphericalGaussianProcessRegressor(**{name: value}).fit(PLACES, np.arange(20.0))


@pytest.mark.parametrize("method", ["exact", "neighbours", "harmonics"])
@pytest.mark.parametrize("length_scale_km", [1e-4, 1e8])
@pytest.mark.parametrize("smoothness", [0.1, 10.0])
@pytest.mark.parametrize("variance", [1e-100, 1e100])
def test_hyperparameters_at_the_ends_of_their_range(variance, length_scale_km, smoothness, method):
    given = {"variance": variance, "length_scale_km": length_scale_km, "smoothness": smoothness, "noise": 0.1}
    model = SphericalGaussianProcessRegressor(method=method, max_degree=3, n_neighbors=5, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResolutionWarning)
        model.fit(PLACES, np.arange(20.0))
        assert np.isfinite(model.predict(PLACES, return_std=True)).all()
        assert np.isfinite(model.log_marginal_likelihood_value_)


def test_search_for_degree_of_rough_field_ends():
    # its degree has sixty digits; the search used to double until the memory was full
    model = SphericalGaussianProcessRegressor(
        method="harmonics", max_degree=3, variance=1.0, length_scale_km=2000.0, smoothness=0.1, noise=0.1
    )
    with pytest.warns(ResolutionWarning, match="lies beyond. No feasible max_degree is enough. Finer detail"):
        model.fit(PLACES, np.arange(20.0))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_displays_find_coordinates_in_frames_of_all_libraries(library):
    pytest.importorskip("matplotlib")
    from skgeo.inspection._models import points_of_samples

    columns = {"depth": PLACES[:, 0], "lon": PLACES[:, 1], "lat": PLACES[:, 0]}
    frames = pytest.importorskip(library)
    frame = frames.table(columns) if library == "pyarrow" else frames.DataFrame(columns)
    assert np.array_equal(points_of_samples(frame), PLACES)


def test_few_samples_ask_for_no_more_blocks_than_places(monkeypatch):
    # it used to cut the sphere into five million million blocks, in seconds
    from skgeo.model_selection import SphericalBlockKFold, _blocks

    cuts = []
    monkeypatch.setattr(_blocks, "band_counts", lambda number: cuts.append(number) or band_counts(number))
    labels = SphericalBlockKFold(2, n_blocks=50).fold_labels(np.repeat(PLACES, 3, axis=0))
    assert max(cuts) < 1e5
    assert np.array_equal(np.ptp(labels.reshape(-1, 3), axis=1), np.zeros(20))


@pytest.mark.parametrize("encoder", [SphericalHarmonicPCA(2), SphericalHarmonics(2)])
def test_embeddings_whose_squares_are_no_numbers(encoder):
    table = encoder.fit(PLACES).transform(PLACES)
    table[3, 1] = 1e300
    with pytest.raises(ValueError, match=r"X has values up to 1e\+300"):
        encoder.inverse_transform(table)


def test_wavelengths_of_the_smallest_degrees():
    assert degree_wavelength_km(5e-324) == np.inf


@pytest.mark.parametrize("spectrum", [{"a": 1}, ["a"], [None, 1], np.array(["a"]), b"1", object()])
def test_a_spectrum_that_holds_no_numbers(spectrum):
    with pytest.raises(ValueError, match=r"spectrum=.*: expected None, 'matern' or max_degree \+ 1 = 3 weights"):
        SphericalHarmonics(2, spectrum=spectrum).fit(PLACES)


@pytest.mark.parametrize("row", ["a", None, 1.5, 4, -5])
def test_similarity_to_a_row_that_is_none(row):
    pytest.importorskip("matplotlib")
    from skgeo.inspection import SimilarityDisplay

    grid = LatLonGrid([0, 10], [0, 10])
    with pytest.raises(ValueError, match="row=.*: expected the number of a row, from 0 to 3"):
        SimilarityDisplay.from_embedding(np.ones((4, 2)), grid, row)


def test_an_embedding_without_columns():
    pytest.importorskip("matplotlib")
    from skgeo.inspection import EmbeddingMapDisplay, SimilarityDisplay

    for display in (EmbeddingMapDisplay, SimilarityDisplay):
        with pytest.raises(ValueError, match=r"embedding has shape \(4, 0\): expected \(4, n_columns\)"):
            display.from_embedding(np.ones((4, 0)), LatLonGrid([0, 10], [0, 10]), 0)


def test_a_head_takes_a_numpy_bool():
    pytest.importorskip("torch")
    from skgeo import nn

    features = np.array([[0.0, 5.0], [0.0, 5.0]])  # a constant logarithm is divided by 1, another number by itself
    for log in (True, False):
        heads = [
            nn.PatchProjectionHead.from_features(features, n_scale=1, log=kind(log), embed_dim=2)
            for kind in (bool, np.bool_)
        ]
        assert heads[0].scale_std == heads[1].scale_std == (1.0 if log else 5.0)


def test_descriptors_that_are_all_zero():
    torch = pytest.importorskip("torch")
    from skgeo import nn

    features = np.zeros((4, 3))
    head = nn.PatchProjectionHead.from_features(features, n_scale=1, log=False, embed_dim=2)
    assert torch.isfinite(head(torch.tensor(features, dtype=torch.float32))).all()
    with pytest.raises(ValueError, match="The table of descriptors has values up to"):
        nn.PatchProjectionHead.from_features(features + 1e300, n_scale=1, embed_dim=2)


def test_masked_image_features_are_refused():
    pytest.importorskip("torch")
    from skgeo import nn

    features = np.ma.masked_array(np.ones((20, 3)), True)
    with pytest.raises(ValueError, match="image_features has masked values"):
        nn.ContrastiveLocationEncoder("wrap", "linear").fit(PLACES, features)


@pytest.mark.parametrize("arrays", [None, 5, "a"])
def test_weights_of_satclip_are_a_dict(arrays):
    with pytest.raises(TypeError, match="arrays=.*expected a dict"):
        SatCLIPWeights(arrays)


def test_huge_values_of_flat_embeddings_raise_no_warning():
    basis = SphericalHarmonicPCA(3, 0.5, clip=0.001).fit(PLACES)
    with pytest.warns(ResolutionWarning, match="do not determine their place"):
        found = basis.inverse_transform(np.full((2, basis.n_components_), 1e90))
    assert np.isfinite(found).all() or np.isnan(found).all()


def test_a_series_of_polars_is_no_table():
    polars = pytest.importorskip("polars")
    with pytest.raises(CoordinateError, match=r"X has 1 dimensions, shape \(5,\): expected 2"):
        SphericalHarmonics(1).fit(polars.Series([1.0, 2.0, 3.0, 4.0, 5.0]))
