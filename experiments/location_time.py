"""Places and times in one Pipeline: monthly sea-surface temperature (OSTIA), five degrees around the equator.

    python -m experiments.location_time            # a minute
    python -m experiments.location_time --quick    # seconds; fails if products of place and season do not help

There are four ridge regressions: on random Fourier features of the place, on periodic splines of the day of the year,
on both, and on both with all their products. Gradient boosting reads latitude, longitude and day of the year. Folds
hold out random samples, blocks of 2,000 km, or whole years. Generalised cross-validation chooses the penalty. The
script writes location_time.rst.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from benchmarks.tables import list_table, mean_and_deviation
from experiments.downstream_models import SHARED
from skgeo.encoders import RandomFourierEncoder
from skgeo.model_selection import SphericalBlockKFold

PLACE, TIME = ["latitude", "longitude"], ["time"]
N_PLACE = 120
PENALTIES = np.logspace(-6, 0, 7)


def day_of_year(table):
    """The day of the year of a column of times, as a number."""
    return table.iloc[:, :1].apply(lambda times: times.dt.day_of_year + times.dt.hour / 24.0)


def season(n_columns=5):
    """Periodic splines of the day of the year: the last day of December is a neighbour of the first of January."""
    knots = np.linspace(0.0, 365.25, n_columns + 1)[:, np.newaxis]
    splines = SplineTransformer(knots=knots, degree=3, extrapolation="periodic", include_bias=True)
    return make_pipeline(FunctionTransformer(day_of_year), splines)


def with_products(table, n_place):
    """Columns of the place, columns of the season, and all products of a place column with a season column."""
    place, time = table[:, :n_place], table[:, n_place:]
    return np.hstack([table, (place[:, :, None] * time[:, None, :]).reshape(len(table), -1)])


def models():
    place = RandomFourierEncoder(N_PLACE, length_scale_km=2500.0, smoothness=1.5, random_state=0)
    both = make_column_transformer((place, PLACE), (season(), TIME))
    products = FunctionTransformer(with_products, kw_args={"n_place": N_PLACE})
    plain = make_column_transformer(("passthrough", PLACE), (FunctionTransformer(day_of_year), TIME))
    return {
        "place": make_pipeline(make_column_transformer((place, PLACE)), RidgeCV(PENALTIES)),
        "season": make_pipeline(make_column_transformer((season(), TIME)), RidgeCV(PENALTIES)),
        "place and season": make_pipeline(both, RidgeCV(PENALTIES)),
        "place, season and products": make_pipeline(both, products, RidgeCV(PENALTIES)),
        "boosting": make_pipeline(plain, HistGradientBoostingRegressor(random_state=0)),
    }


def samples(n, seed):
    """A table of places and times, and the temperature in kelvin at each row."""
    import xarray as xr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = xr.open_dataset(SHARED / "ostia_monthly.nc")["surface_temperature"].load()
    table = field.to_dataframe(name="temperature").reset_index()[[*PLACE, *TIME, "temperature"]].dropna()
    table = table.sample(n, random_state=seed)
    return table[[*PLACE, *TIME]].reset_index(drop=True).astype(dict.fromkeys(PLACE, float)), table[
        "temperature"
    ].to_numpy()


def held_out(table, seed):
    """Splits by name."""
    return {
        "random": KFold(5, shuffle=True, random_state=seed).split(table),
        "2,000 km blocks": SphericalBlockKFold(5, block_size_km=2000, shuffle=True, random_state=seed).split(
            table[PLACE].to_numpy()
        ),
        "years": GroupKFold(5).split(table, groups=table["time"].dt.year),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one seed, 1,000 samples")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    if not (SHARED / "ostia_monthly.nc").exists():
        print("skipped: ostia_monthly.nc is not beside the repository")
        return
    n, seeds = (1000, (0,)) if options.quick else (2000, (0, 1, 2))
    found = {}
    for seed in seeds:
        table, y = samples(n, seed)
        for kind, splits in held_out(table, seed).items():
            splits = list(splits)
            for name, model in models().items():
                score = r2_score(y, cross_val_predict(model, table, y, cv=splits))
                found.setdefault(name, {}).setdefault(kind, []).append(score)
                print(f"{seed} {kind:16} {name:28} {score:.3f}", flush=True)
    if options.quick:
        if found["place, season and products"]["random"][0] < found["place and season"]["random"][0] + 0.02:
            raise SystemExit("products of place and season do not help")
        return
    kinds = list(next(iter(found.values())))
    lines = [("features", *kinds)]
    for name, scores in found.items():
        lines.append((name, *(mean_and_deviation(np.mean(scores[k]), np.std(scores[k], ddof=1), 3) for k in kinds)))
    (options.out / "location_time.rst").write_text(list_table(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
