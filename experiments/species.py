"""Ranges of 104 species from presence-only records, and what ranges are worth to an image classifier.

    python -m experiments.species            # an hour on one core; with elapid, if elapid is installed
    python -m experiments.species --geoclip geoclip-1.3.0-py3-none-any.whl --only "GeoCLIP;mean of 4" --seeds 1
    python -m experiments.species --quick    # one region, few models, under 20 seconds; fails if a range is not learned

Records and sites of three regions (Elith et al. 2020). Models learn from the coordinates of presence-only records:
encoders and networks of PresenceOnlyClassifier, and models that the field uses. The score is the AUC of each species at
presence-absence sites that no model learns from, with the records of all species as background (a target group), and
for some models with 10,000 places of the region. Every model has one set of parameters for all regions, in which
lengths are shares of the size of the region. The lengths of random Fourier features and of kernel densities were set
after a look at the scores of few candidates in South America and New South Wales.

The other tables draw images: each is of a species at a site where it was found, and the scores of the image alone name
the right species in 60 of 100 cases. A location prior is combined with them by LocationPriorClassifier, whose
temperature and weight come from one half of the images; the other half is counted.

Writes species.json and its tables after every run of a model, and leaves out runs that species.json has. ``--geoclip``
names the wheel of GeoCLIP (see experiments/pretrained.py), whose embedding is one of the encoders.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, PolynomialFeatures, StandardScaler

from benchmarks.tables import replace_text, write_table
from experiments import land_ocean
from skgeo import LocationPriorClassifier, SphericalGaussianProcessClassifier, matern_spectrum
from skgeo.encoders import (
    Cartesian3DEncoder,
    GridEncoder,
    RandomFourierEncoder,
    SphericalHarmonics,
    WrapEncoder,
)
from skgeo.metrics import continuous_boyce_index, mean_species_score
from skgeo.nn import PresenceOnlyClassifier, load_geoclip

REGIONS = {"can": "Ontario", "sa": "South America", "nsw": "New South Wales"}
BACKGROUNDS = ("records", "region")
# Share of right species of the image classifier alone, and number of images.
IMAGE_ACCURACY, N_IMAGES = 0.6, 4000
EARTH_KM = 6371.0088


class Region(NamedTuple):
    """Records (n, 2) and their species, background places, and sites with what was found there."""

    places: np.ndarray
    species: np.ndarray
    background: np.ndarray
    sites: np.ndarray
    occurrence: np.ndarray
    names: np.ndarray

    @property
    def size_km(self):
        """Root of the mean squared distance of background places from their centre."""
        xyz = cartesian(self.background)
        return float(np.sqrt(((xyz - xyz.mean(axis=0)) ** 2).sum(axis=1).mean()))


def cartesian(places):
    """Positions in km."""
    return EARTH_KM * Cartesian3DEncoder().fit_transform(places)


def read(folder, name):
    """A region from its file."""
    data = np.load(folder / f"species_{name}.npz")
    places = {
        part: np.column_stack([data[f"{part}latitude"], data[f"{part}longitude"]]).astype(float)
        for part in ("", "background_", "test_")
    }
    species = data["names"][data["species"]]
    return Region(
        places[""], species, places["background_"], places["test_"], data["test_occurrence"], np.unique(species)
    )


# Models: functions of region, background and seed that return a function from places to scores (n, n_species)


def neural(encoder, network, region, background, seed, loss="full", n_models=1, **options):
    """The mean of some PresenceOnlyClassifiers on an encoder that depends on the size of the region."""
    settings = {"max_epochs": 120, "patience": 10, "verbose": False, "loss": loss} | options
    settings["background"] = "records" if background == "records" else region.background
    models = [
        PresenceOnlyClassifier(encoder(region.size_km), network, random_state=1000 * part + seed, **settings).fit(
            region.places, region.species
        )
        for part in range(n_models)
    ]
    # The odds of "full" are proportional to the number of records, which images do not follow: all species are alike.
    counts = models[0].n_records_ if loss == "full" else 1.0
    return lambda places: np.exp(np.mean([model.decision_function(places) for model in models], axis=0)) / counts


def one_by_one(make, region, background, seed):
    """A model of presence against background for each species; presences weigh as much as the background."""
    others = region.places if background == "records" else region.background
    fitted = []
    for name in region.names:
        own = region.places[region.species == name]
        y = np.repeat([True, False], [len(own), len(others)])
        weight = np.where(y, len(others) / len(own), 1.0)
        fitted.append(make(seed, np.vstack([own, others]), y, weight))
    return lambda places: np.column_stack([model(places) for model in fitted])


def logistic(seed, X, y, weight):
    """Logistic regression on the squares and the product of latitude and longitude."""
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=500))
    model.fit(X, y, logisticregression__sample_weight=weight)
    return lambda places: model.predict_proba(places)[:, 1]


def boosting(seed, X, y, weight):
    """Gradient boosting of trees."""
    model = HistGradientBoostingClassifier(max_iter=30, early_stopping=False, random_state=seed).fit(X, y, weight)
    return lambda places: model.predict_proba(places)[:, 1]


def maxent(seed, X, y, weight):
    """Maximum entropy with the features of the program Maxent, by elapid; 2,000 places of the background."""
    import elapid

    rows = np.concatenate([np.flatnonzero(y), np.random.default_rng(seed).permutation(np.flatnonzero(~y))[:2000]])
    model = elapid.MaxentModel(n_cpus=1)
    model.fit(X[rows], y[rows].astype(int))
    return lambda places: np.asarray(model.predict(places)).ravel()


def process(seed, X, y, weight):
    """Gaussian process classifier; 250 places of the background and at most as many records."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(y == side))[:250] for side in (True, False)])
    model = SphericalGaussianProcessClassifier(method="neighbours", smoothness=1.5, verbose=False).fit(X[rows], y[rows])
    return lambda places: model.predict_proba(places)[:, 1]


def density(region, background, seed):
    """Kernel densities of records, or the ratio of the density of a species to that of all."""
    width = 0.1 * region.size_km
    own = [
        KernelDensity(bandwidth=width).fit(cartesian(region.places[region.species == name])) for name in region.names
    ]
    everyone = KernelDensity(bandwidth=width).fit(cartesian(region.places)) if background == "records" else None

    def scores(places):
        logs = np.column_stack([model.score_samples(cartesian(places)) for model in own])
        if everyone is not None:
            logs -= everyone.score_samples(cartesian(places))[:, np.newaxis]
        return np.exp(np.maximum(logs - logs.max(), -50.0))

    return scores


def encoders(geoclip=None):
    """Encoders by name, as functions of the size of a region in km. ``geoclip`` is the file of the weights."""
    degrees = 180.0 / (np.pi * EARTH_KM)
    trained = {}
    if geoclip is not None:
        weights = load_geoclip(geoclip).set_params(dtype="float32")
        # Rows of length one, as those of random Fourier features: Siren has sines of 30 times its inputs.
        trained["GeoCLIP"] = lambda size: make_pipeline(weights, StandardScaler(), Normalizer())
    return trained | {
        "raw": lambda size: make_pipeline(Cartesian3DEncoder(), StandardScaler()),
        "Wrap": lambda size: make_pipeline(WrapEncoder(), StandardScaler()),
        "Grid": lambda size: GridEncoder(16, min_scale=0.3 * size * degrees),
        "harmonics": lambda size: SphericalHarmonics(20),
        "Matern harmonics": lambda size: SphericalHarmonics(20, min_degree=1, spectrum=matern_spectrum(20, nu=1.0)),
        "random Fourier": lambda size: RandomFourierEncoder(300, 0.8 * size, 1.5, random_state=0),
    }


#: Options of the networks by name. The published FcNet is four times as wide and twice as deep.
NETWORKS = {"linear": {"learning_rate": 1e-2}, "fcnet": {"hidden_dim": 64, "n_layers": 2}, "siren": {}}
#: Models without random numbers run once.
ONCE = ("kernel density", "logistic regression")


def models(geoclip=None):
    """All models by name; those with GeoCLIP need the file of its weights."""
    peers = {"kernel density": density, "logistic regression": partial(one_by_one, logistic)}
    fourier = encoders()["random Fourier"]
    maximum = {"loss": "maxent", "learning_rate": 1e-2, "weight_decay": 1e-4}
    others = {
        "random Fourier, siren": partial(neural, fourier, "siren"),
        "random Fourier, siren, mean of 4": partial(neural, fourier, "siren", n_models=4),
        "random Fourier, linear, maxent": partial(neural, fourier, "linear", **maximum),
    }
    ours = {
        f"{name}, {network}": partial(neural, encoder, network, **options)
        for network, options in NETWORKS.items()
        for name, encoder in encoders(geoclip).items()
    }
    late = {
        "boosting": partial(one_by_one, boosting),
        "Gaussian process": partial(one_by_one, process),
        "Maxent (elapid)": partial(one_by_one, maxent),
    }
    return peers | others | ours | late


# Scores


def draw_images(region, seed):
    """Numbers of sites and of species, and probabilities that name the right species in 60 of 100 cases."""
    rng = np.random.default_rng(seed)
    found = region.occurrence == 1
    species = rng.choice(np.flatnonzero(found.any(axis=0)), N_IMAGES)
    sites = np.array([rng.choice(np.flatnonzero(found[:, number])) for number in species])
    noise, rows = rng.normal(size=(N_IMAGES, found.shape[1])), np.arange(N_IMAGES)
    low, high = 0.0, 10.0
    for _ in range(40):
        shift = 0.5 * (low + high)
        logits = noise.copy()
        logits[rows, species] += shift
        right = np.mean(logits.argmax(axis=1) == species)
        low, high = (shift, high) if right < IMAGE_ACCURACY else (low, shift)
    # The image classifier is too sure of itself, by a factor of two.
    return sites, species, softmax(2.0 * logits, axis=1)


class Prior:
    """A function from places to scores (n, n_species), as a fitted classifier."""

    def __init__(self, scores, n_species):
        self.scores, self.classes_ = scores, np.arange(n_species)

    def fit(self, X, y=None):
        """Nothing is learned."""
        return self

    def predict_proba(self, X):
        """The scores."""
        return np.maximum(self.scores(X), 1e-12)


def image_gain(region, scores, seed):
    """Points of top-1 accuracy that a location prior adds to the image classifier, on the second half of the images."""
    sites, species, image = draw_images(region, seed)
    X, half = np.column_stack([region.sites[sites], image]), N_IMAGES // 2
    model = LocationPriorClassifier(FrozenEstimator(Prior(scores, image.shape[1])), prior_weight="fit")
    right = model.fit(X[:half], species[:half]).score(X[half:], species[half:])
    return 100.0 * float(right - np.mean(image[half:].argmax(axis=1) == species[half:]))


def boyce_index(region, scores, at_sites):
    """The mean Boyce index of species: sites where they were found against 2,000 random places of the region."""
    at_places = scores(region.background[:: len(region.background) // 2000])
    indices = [
        continuous_boyce_index(sites[found == 1], places, by_area=True)
        for found, sites, places in zip(region.occurrence.T, at_sites.T, at_places.T, strict=True)
        if (found == 1).any()
    ]
    return float(np.nanmean(indices))


def evaluate(region, model, background, seed):
    """AUC of each species, mean average precision and Boyce index, gain of images, and seconds of CPU of the fit."""
    start = time.process_time()
    scores = model(region, background, seed)
    seconds = time.process_time() - start
    at_sites = scores(region.sites)
    return {
        "auc": mean_species_score(region.occurrence, at_sites, return_all=True).round(5).tolist(),
        "precision": mean_species_score(region.occurrence, at_sites, average_precision_score),
        "boyce": boyce_index(region, scores, at_sites),
        "gain": image_gain(region, scores, seed),
        "seconds": round(seconds, 2),
    }


def mean_and_deviation(rows, form):
    """The mean over seeds, and the deviation over seeds if there are several."""
    text = format(np.mean(rows), form)
    return f"{text} ± {np.std(rows):{form.lstrip('+')}}" if len(rows) > 1 else text


def auc_table(found):
    """Mean AUC of each region and background, standard deviations, and seconds of CPU; the best model first."""
    titles = (f"{REGIONS[name]}, {side}" for name in REGIONS for side in BACKGROUNDS)
    yield "model", *titles, "± seeds", "± species", "seconds"
    for model, parts in sorted(found.items(), key=mean_auc, reverse=True):
        runs = [list(parts.get(f"{name} {side}", {}).values()) for name in REGIONS for side in BACKGROUNDS]
        every = [run for each in runs for run in each]
        if every:
            aucs = [[np.nanmean(run["auc"]) for run in each] for each in runs]
            species = np.mean([np.nanstd(run["auc"]) for run in every])
            seconds = np.mean([run["seconds"] for run in every])
            yield model, *mean_cells(aucs), mean_deviation(aucs), f"{species:.2f}", f"{seconds:.1f}"


def score_table(found):
    """Mean average precision and mean Boyce index of each region, with the records as background."""
    titles = {"precision": "average precision", "boyce": "Boyce index"}
    columns = (cell for title in titles.values() for cell in (*(f"{title}, {REGIONS[name]}" for name in REGIONS), "±"))
    yield "model", *columns
    for model, parts in sorted(found.items(), key=mean_auc, reverse=True):
        runs = [parts.get(f"{name} records", {}).values() for name in REGIONS]
        if all(runs):
            scores = [[[run[score] for run in each] for each in runs] for score in titles]
            yield model, *(cell for each in scores for cell in (*mean_cells(each), mean_deviation(each)))


def mean_cells(rows):
    """The mean over the seeds of each row, or "none"."""
    return [f"{np.mean(each):.3f}" if each else "none" for each in rows]


def mean_deviation(rows):
    """The standard deviation over seeds, a mean over the rows; "none" for one seed."""
    several = [np.std(each) for each in rows if len(each) > 1]
    return f"{np.mean(several):.3f}" if several else "none"


def mean_auc(item):
    """The mean AUC over the regions with the records as background, of a name and its results; 0 if some lack."""
    runs = [item[1].get(f"{name} records", {}) for name in REGIONS]
    return np.mean([np.nanmean(run["auc"]) for each in runs for run in each.values()]) if all(runs) else 0.0


def gain_table(found):
    """One row for each encoder: points that the prior adds to 60 % with each network, means over the regions."""
    names = [name.removesuffix(", siren") for name in found if name.endswith(", siren")]
    yield "encoder", "linear", "FcNet", "Siren"
    for encoder in names:
        gains = [mean_gains(found.get(f"{encoder}, {network}", {})) for network in NETWORKS]
        yield encoder, *(mean_and_deviation(each, "+.1f") if each else "none" for each in gains)


def gain_table_of_others(found):
    """One row for each model that is no pair of encoder and network: points that the prior adds in each region."""
    yield "prior", *REGIONS.values(), "mean"
    for model, parts in found.items():
        if mean_gains(parts) and not model.endswith(tuple(f", {network}" for network in NETWORKS)):
            runs = [[run["gain"] for run in parts[f"{name} records"].values()] for name in REGIONS]
            yield model, *(mean_and_deviation(each, "+.1f") for each in runs), f"{np.mean(mean_gains(parts)):+.1f}"


def mean_gains(parts):
    """Points that a prior adds, a mean over the regions for each seed that all regions have."""
    runs = [parts.get(f"{name} records", {}) for name in REGIONS]
    return [np.mean([each[seed]["gain"] for each in runs]) for seed in sorted(set.intersection(*map(set, runs)))]


def write(found, out):
    """The results so far."""
    replace_text(json.dumps(found) + "\n", out / "species.json")
    write_table(auc_table(found), out / "species.rst")
    write_table(score_table(found), out / "species_scores.rst")
    write_table(gain_table(found), out / "species_images.rst")
    write_table(gain_table_of_others(found), out / "species_images_others.rst")


def run_all(regions, chosen, seeds, out):
    """All models of all regions, seed by seed."""
    path = out / "species.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for seed in range(seeds):
        for name, model in chosen.items():
            for region, data in regions.items():
                for side in BACKGROUNDS:
                    done = found.setdefault(name, {}).setdefault(f"{region} {side}", {})
                    if (seed and name in ONCE) or str(seed) in done:
                        continue
                    try:
                        done[str(seed)] = evaluate(data, model, side, seed)
                    except ImportError as error:
                        print(f"{name}: left out, {error}", flush=True)
                        found.pop(name)
                        break
                    row = done[str(seed)]
                    mean, gain, seconds = np.nanmean(row["auc"]), row["gain"], row["seconds"]
                    print(f"{seed} {name}, {region} {side}: {mean:.3f} {gain:+.1f} {seconds:.1f} s", flush=True)
                    write(found, out)
                if name not in found:
                    break


def main():
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one region, few models, without files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="models whose names contain one of these texts, with ; between")
    parser.add_argument("--geoclip", type=Path, help="file of the weights of GeoCLIP")
    parser.add_argument("--data", type=Path, default=land_ocean.DATA, help="folder of the regions")
    parser.add_argument("--out", type=Path, default=land_ocean.HERE / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    every = models(options.geoclip)
    if options.quick:
        region = read(options.data, "sa")
        row = evaluate(region, every["random Fourier, linear, maxent"], "region", 0)
        print(f"AUC {np.nanmean(row['auc']):.3f}, {row['gain']:+.1f} points, {row['seconds']:.1f} s")
        return 0 if np.nanmean(row["auc"]) > 0.75 and row["gain"] > 0.0 else 1
    texts = options.only.split(";")
    chosen = {name: model for name, model in every.items() if any(text in name for text in texts)}
    run_all({name: read(options.data, name) for name in REGIONS}, chosen, options.seeds, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
