"""The kernel of harmonics against SciPy, mpmath and the properties that define them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import reference
from skgeo._kernels import harmonics as _harmonics

latitudes = st.floats(-90, 90)
longitudes = st.floats(-1e4, 1e4)
PLACES = np.array([[90, 0], [-90, 33], [0, 180], [0, -180], [45, 179.999], [-33.9, 18.4], [1e-9, 0], [89.999, 270]])


def at(points, max_degree):
    return _harmonics.harmonics(*np.ascontiguousarray(np.asarray(points, dtype=float).T), max_degree).T


@pytest.mark.parametrize("max_degree", [0, 1, 2, 3, 10, 40])
def test_agrees_with_scipy(max_degree):
    points = np.vstack([PLACES, reference.uniform_points(200)])
    assert_allclose(at(points, max_degree), reference.harmonics(*points.T, max_degree), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("degree", "order"), [(200, 0), (200, 1), (200, -37), (200, 120), (200, 199), (200, -200), (150, 75)]
)
def test_agrees_with_mpmath_at_degree_200(degree, order):
    got = at(PLACES, 200)[:, degree * degree + degree + order]
    expected = [reference.harmonic_mpmath(latitude, longitude, degree, order) for latitude, longitude in PLACES]
    assert_allclose(got, expected, atol=1e-11, rtol=0)


def test_mpmath_reference_agrees_with_scipy():
    expected = reference.harmonics(*PLACES.T, 6)
    got = [[reference.harmonic_mpmath(*p, n, m) for n in range(7) for m in range(-n, n + 1)] for p in PLACES]
    assert_allclose(got, expected, atol=1e-13)


def test_first_degree_is_y_z_x():
    points = reference.uniform_points(50)
    latitude, longitude = np.radians(points).T
    xyz = [np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)]
    assert_allclose(at(points, 1)[:, 1:], np.sqrt(3 / (4 * np.pi)) * np.stack(xyz, axis=1), atol=1e-15)


def test_degree_1000_bounded_by_addition_theorem():
    table = at(np.vstack([PLACES, reference.uniform_points(8)]), 1000)
    assert np.isfinite(table).all()
    assert_allclose(np.square(table).sum(axis=1), 1001**2 / (4 * np.pi), rtol=1e-11)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(latitudes, longitudes, latitudes, longitudes, st.integers(1, 30))
def test_addition_theorem(lat1, lon1, lat2, lon2, degree):
    first, second = at([[lat1, lon1], [lat2, lon2]], degree)[:, degree * degree :]
    a, b, turn = np.radians(lat1), np.radians(lat2), np.radians(np.fmod(lon1, 360) - np.fmod(lon2, 360))
    cosine = np.sin(a) * np.sin(b) + np.cos(a) * np.cos(b) * np.cos(turn)
    legendre = np.polynomial.legendre.Legendre.basis(degree)(np.clip(cosine, -1, 1))
    assert_allclose(first @ second, (2 * degree + 1) / (4 * np.pi) * legendre, atol=3e-11)


def test_orthonormal_by_quadrature():
    points, weights = reference.gauss_box(-90, 90, 0, 360, n=48)
    table = at(points, 6)
    assert_allclose((table * weights[:, np.newaxis]).T @ table, np.eye(49), atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(latitudes, st.integers(-180 * 64, 180 * 64), st.integers(-(10**6), 10**6))
def test_whole_turns_change_nothing(latitude, longitude, turns):
    # Multiples of 1/64 degree keep longitude + 360 turns exact, so that only the library can differ.
    here, there = at([[latitude, longitude / 64], [latitude, longitude / 64 + 360.0 * turns]], 20)
    assert_allclose(here, there, atol=1e-12)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(longitudes, longitudes, st.sampled_from([-90.0, 90.0]))
def test_all_longitudes_are_one_place_at_a_pole(lon1, lon2, pole):
    first, second = at([[pole, lon1], [pole, lon2]], 25)
    assert_array_equal(first, second)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(latitudes, longitudes, st.floats(-360, 360))
def test_rotation_about_the_axis_mixes_only_equal_orders(latitude, longitude, turn):
    here, there = at([[latitude, longitude], [latitude, longitude + turn]], 8)
    for degree in range(9):
        for order in range(1, degree + 1):
            sine, cosine = here[degree * degree + degree - order], here[degree * degree + degree + order]
            angle = order * np.radians(turn)
            rotated = np.cos(angle) * cosine - np.sin(angle) * sine
            assert_allclose(there[degree * degree + degree + order], rotated, atol=1e-10)


def test_legendre_series_agree_with_scipy():
    points = np.vstack([PLACES, reference.uniform_points(50)])
    series = _harmonics.legendre_series(12)
    colatitude = np.radians(90.0 - points[:, 0])
    wave = np.arange(13)[:, np.newaxis] * colatitude
    expected = reference.harmonics(points[:, 0], np.zeros(len(points)), 12)
    for degree in range(13):
        for order in range(degree + 1):
            value = series[order, degree] @ (np.sin(wave) if order % 2 else np.cos(wave))
            factor = np.sqrt(2.0) if order else 1.0
            assert_allclose(factor * value, expected[:, degree * degree + degree + order], atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_waves_are_cosines_and_sines_of_multiples(dtype):
    angle = np.linspace(-7, 7, 101)
    cosines, sines = _harmonics.waves(np.cos(angle), np.sin(angle), 40, dtype)
    assert cosines.dtype == sines.dtype == dtype
    multiples = np.outer(np.arange(41), angle)
    bound = (4 if dtype is np.float32 else 60) * np.finfo(dtype).eps
    assert_allclose(cosines, np.cos(multiples), atol=bound)
    assert_allclose(sines, np.sin(multiples), atol=bound)
