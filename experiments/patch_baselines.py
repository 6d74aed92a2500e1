"""Methods that fill hidden patches without a transformer: means, neighbours, kriging, and regression on the place.

Each baseline is a function of a problem. It returns a second function. The second function reads a cut, the field and
the patches of a window, and the mask of the hidden patches. It returns the filled values. The baselines choose their
hyperparameters on the validation field.
"""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge

from experiments.patch_fields import HIDDEN, centres
from skgeo.encoders import Cartesian3DEncoder, SphericalHarmonics

LENGTHS = (5.0, 10.0, 20.0, 40.0)  # degrees
ALPHAS = (1e-2, 1.0, 1e2, 1e4)


def scores(problem, n_test=256, n_validation=64):
    """Skill of every baseline in every test, 1 - MSE / mean square."""
    rows = {}
    for name, (make, choices) in BASELINES.items():
        made = [make(problem, choice) for choice in choices]
        best = max(made, key=lambda fill: _skill(fill, problem.validation, problem.window, n_validation, seed=1))
        rows[name] = {
            test: [round(_skill(best, cut, problem.window, n_test, seed=2), 4)] for test, cut in problem.tests.items()
        }
        rows[name]["validation"] = round(_skill(best, problem.validation, problem.window, 128, seed=1), 4)
    return rows


def _skill(fill, cut, window, n, seed):
    """Skill over the windows on which transformers are tested."""
    field, patch, hidden = cut.draw(window, n, seed, HIDDEN)
    values, valid = cut.take(field, patch)
    scored = valid & hidden[..., np.newaxis]
    filled = np.stack([fill(cut, *each) for each in zip(values, valid, patch, hidden, strict=True)])
    return 1 - float(np.square(filled - values)[scored].sum() / np.square(values)[scored].sum())


def mean_of_visible(problem, choice):
    """The mean of each channel over the visible pixels."""

    def fill(cut, values, valid, patch, hidden):
        pixels, there = _by_channel(cut, values), _by_channel(cut, valid & ~hidden[:, np.newaxis])
        mean = (pixels * there).sum(axis=(0, 2)) / np.maximum(there.sum(axis=(0, 2)), 1)
        return np.broadcast_to(mean[:, np.newaxis], pixels.shape).reshape(values.shape)

    return fill


def nearest_visible(problem, choice):
    """The nearest visible patch, by the distance of centres."""

    def fill(cut, values, valid, patch, hidden):
        vectors = _vectors(centres(cut.patches)[patch])
        visible = np.flatnonzero(~hidden)
        return values[visible[cdist(vectors, vectors[visible]).argmin(axis=1)]]

    return fill


def kriging(problem, length):
    """Simple kriging of each channel from the visible pixels: exponential covariance about the mean of these pixels."""

    def fill(cut, values, valid, patch, hidden):
        vectors = _vectors(_pixels(cut)[patch].reshape(-1, 2)).astype(np.float32)
        pixels, there = _by_channel(cut, values), _by_channel(cut, valid & ~hidden[:, np.newaxis])[:, 0].ravel()
        known = pixels.transpose(0, 2, 1).reshape(-1, cut.n_channels)
        if not there.any():
            return np.zeros_like(values)
        mean = known[there].mean(axis=0)
        between = np.exp(-cdist(vectors[there], vectors[there]) / np.radians(length)) + 1e-3 * np.eye(there.sum())
        to = np.exp(-cdist(vectors, vectors[there]) / np.radians(length))
        filled = mean + to @ np.linalg.solve(between, known[there] - mean)
        return filled.reshape(len(patch), -1, cut.n_channels).transpose(0, 2, 1).reshape(values.shape)

    return fill


def ridge_on_place(problem, alpha):
    """The mean of the training fields at each place, by ridge regression on harmonics up to degree 20."""
    harmonics = SphericalHarmonics(20).fit([[0.0, 0.0]])
    cut = problem.train[0]
    pixels, there = (_by_channel(cut, each.reshape(-1, each.shape[-1])) for each in (cut.values, cut.valid))
    n_fields = len(cut.values)
    place = np.tile(_pixels(cut).reshape(-1, 2), (n_fields, 1))
    there, known = there[:, 0].ravel(), pixels.transpose(0, 2, 1).reshape(-1, cut.n_channels)
    model = Ridge(alpha).fit(harmonics.transform(place[there]), known[there])
    predicted = {}

    def fill(cut, values, valid, patch, hidden):
        if id(cut) not in predicted:
            predicted[id(cut)] = model.predict(harmonics.transform(_pixels(cut).reshape(-1, 2))).reshape(
                len(cut.patches), -1, cut.n_channels
            )
        return predicted[id(cut)][patch].transpose(0, 2, 1).reshape(values.shape)

    return fill


def _by_channel(cut, values):
    """Values with the shape (patches, channels, pixels)."""
    return values.reshape(len(values), cut.n_channels, -1)


def _pixels(cut):
    """Centres of the pixels of all patches, (patches, pixels, 2), in the order of their values.

    Rows of the fields may run from south to north or from north to south: the first patches tell the direction.
    """
    n = int(cut.patches[0, 4])
    share = (np.arange(n) + 0.5) / n
    south, north, west, east = cut.patches.T[:4, :, np.newaxis]
    latitude = south + (north - south) * (share[::-1] if south[0] > south[-1] else share)
    longitude = west + (east - west) * share
    shape = (len(south), n, n)
    both = [np.broadcast_to(latitude[:, :, None], shape), np.broadcast_to(longitude[:, None, :], shape)]
    return np.stack(both, axis=-1).reshape(len(south), -1, 2)


def _vectors(points):
    """Unit vectors of points in degrees."""
    return Cartesian3DEncoder().fit_transform(points)


BASELINES = {
    "mean of the visible": (mean_of_visible, (None,)),
    "nearest visible patch": (nearest_visible, (None,)),
    "kriging of the visible": (kriging, LENGTHS),
    "ridge on place": (ridge_on_place, ALPHAS),
}
