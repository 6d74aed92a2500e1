"""Does a position embedding transfer? A small transformer fills hidden patches in new places and at new sizes.

Three quarters of the patches of a window are hidden. For each kind of position features, the script trains the
transformer in one region with one size of patches. It tests the transformer on a new field: on the same patches, on a
grid shifted by half a patch, at half and twice the size, and in other regions. For the variants without bias and
turning, a validation field chooses the learning rate with the first seed. Ablations have half the steps and the larger
rate. The script writes each result at once, and a run that was stopped continues where it stopped.

    python -m experiments.patch_transfer             # three data sets, three seeds; two hours on one core
    python -m experiments.patch_transfer --quick     # OSTIA only, ten seconds; fails if position does not help

It needs ``eraint_uvz.nc`` and ``ostia_monthly.nc`` in a folder. Without these files, the quick run uses random fields.
"""

import argparse
import copy
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # set before torch is imported: the same bits on each run, and free cores

import joblib
import numpy as np
import torch

from benchmarks.tables import write_rows
from experiments import patch_fields
from experiments.patch_baselines import scores
from experiments.patch_fields import HIDDEN, TESTS
from experiments.patch_positions import ABLATIONS, MADE, SIZES, VARIANTS, Filler, features_of, make_positions
from experiments.patch_report import report
from skgeo.nn import turn_patches

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data"
LEARNING_RATES = (1e-3, 3e-3)
BATCH = 8
GROUPS = {"main": VARIANTS, "ablation": ABLATIONS, "sizes": SIZES, "made": MADE}
PARTS = {
    "winds": [("winds", "main", VARIANTS)],
    "sea": [("sea", "main", VARIANTS)],
    "ablation": [("sea", "ablation", ABLATIONS)],
    "sizes": [("winds", "sizes", SIZES)],
    "made": [("made", "made", MADE)],
}
FIELDS = {"winds": patch_fields.winds, "sea": patch_fields.sea, "made": patch_fields.made}
TASK = ("data", "group", "variant", "seed", "learning_rate")


def problem_of(data, folder, group):
    """The data set by name. The tasks of two sizes also train on patches of twice the size."""
    sizes = (2, 4) if group == "sizes" else (2,)
    return FIELDS[data](folder, sizes)


def position_of(task):
    """The position of a task."""
    return GROUPS[task["group"]][task["variant"]]


class Sample:
    """Windows of a cut as tensors, with the features of their patches."""

    def __init__(self, cut, table, window, n, seed):
        field, patch, hidden = cut.draw(window, n, seed, HIDDEN)
        values, valid = cut.take(field, patch)
        self.values, self.valid = torch.from_numpy(values), torch.from_numpy(valid)
        self.hidden, self.features = torch.from_numpy(hidden), table[torch.from_numpy(patch)]
        self.patches = torch.from_numpy(cut.patches[patch])
        self.scored = self.valid & self.hidden[..., None]

    def parts(self, size=64):
        """The same sample in parts."""
        for start in range(0, len(self.values), size):
            yield (
                each[start : start + size]
                for each in (self.values, self.valid, self.hidden, self.features, self.patches, self.scored)
            )

    def turn(self, features, generator):
        """Turn each window about the axis of the Earth by its own angle, and compute the features again."""
        table = turn_patches(self.patches, generator)
        self.features = _tensor(features(table.flatten(0, 1).numpy())).unflatten(0, table.shape[:2])


def errors(model, sample):
    """Sums of squared errors and of squared values of the hidden pixels, for each value of a patch."""
    sums = 0
    with torch.no_grad():
        for values, valid, hidden, features, patches, scored in sample.parts():
            error = (model(values, valid, hidden, features, patches) - values) ** 2
            sums = sums + torch.stack([(each * scored).double().sum(dim=(0, 1)) for each in (error, values**2)])
    return sums.numpy()


def skill(sums):
    """Skill: 1 - MSE / mean square about the mean of the training fields."""
    return float(1 - sums[0].sum() / sums[1].sum())


def fit(model, problem, tables, learning_rate, seed, steps, turned=None):
    """Train with a cosine schedule, keep the weights with the best validation, and return their skill.

    ``turned`` makes the features of turned windows.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps, pct_start=0.1)
    validation = Sample(problem.validation, tables["train"][0], problem.window, 128, seed=1)
    best, weights = -np.inf, None
    for step in range(1, steps + 1):
        which = step % len(problem.train)
        sample = Sample(problem.train[which], tables["train"][which], problem.window, BATCH, seed=(seed, step))
        if turned is not None:
            sample.turn(turned, generator)
        filled = model(sample.values, sample.valid, sample.hidden, sample.features, sample.patches)
        loss = ((filled - sample.values) ** 2)[sample.scored].mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % max(1, steps // 10) == 0 and (reached := skill(errors(model, validation))) > best:
            best, weights = reached, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return best


def run(task, folder, steps, n_test=256, problem=None):
    """Train one variant with one seed, and run all tests."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    problem = problem or problem_of(task["data"], folder, task["group"])
    features, head = features_of(position := position_of(task), problem.train[0].patches)
    torch.manual_seed(task["seed"])
    model = Filler(problem.validation.values.shape[-1], make_positions(position, head, problem.window))
    tables = {name: _tensor(features(cut.patches)) for name, cut in problem.tests.items()}
    tables["train"] = [_tensor(features(cut.patches)) for cut in problem.train]
    turned = features if position.turned else None
    best = fit(model, problem, tables, task["learning_rate"], task["seed"], steps, turned)
    result = {"validation": round(best, 4)}
    tables["learned"] = tables["train"][0]
    for name, cut in (problem.tests | {"learned": problem.train[0]}).items():
        sums = errors(model, Sample(cut, tables[name], problem.window, n_test, seed=2))
        channels = sums.reshape(2, cut.n_channels, -1).sum(axis=2)
        result[name] = [round(skill(each), 4) for each in (sums, *channels.T)]
    seconds = round(time.perf_counter() - start, 1)
    parameters = sum(each.numel() for each in model.parameters())
    return task | {"skill": result, "parameters": parameters, "seconds": seconds}


def _tensor(table):
    return torch.from_numpy(np.ascontiguousarray(table))


def tasks_of(parts, rows, seeds):
    """Tasks without a result: all learning rates with the first seed, then the better rate with the other seeds.

    The variants without bias and turning try two rates. All other variants have one rate.
    """
    done = {tuple(row[name] for name in TASK): row["skill"]["validation"] for row in rows}
    tasks = []
    for data, group, variants in parts:
        for variant in variants:
            new = variants[variant].bias or variants[variant].turned
            rates = LEARNING_RATES if group == "main" and not new else LEARNING_RATES[-1:]
            first = [(data, group, variant, seeds[0], rate) for rate in rates]
            tasks += [task for task in first if task not in done]
            if all(task in done for task in first):
                best = max(first, key=done.get)[-1]
                others = [(data, group, variant, seed, best) for seed in seeds[1:] if group != "made"]
                tasks += [task for task in others if task not in done]
    tasks.sort(key=lambda task: task[TASK.index("seed")])
    return [dict(zip(TASK, task, strict=True)) for task in tasks]


def run_all(parts, options, path):
    """Run the tasks without a result, and write each result at once."""
    rows = json.loads(path.read_text()) if path.exists() else []
    while tasks := tasks_of(parts, rows, options.seeds):
        pool = joblib.Parallel(n_jobs=options.jobs, return_as="generator_unordered")
        steps = [options.steps // (2 if task["group"] in ("ablation", "sizes") else 1) for task in tasks]
        for row in pool(joblib.delayed(run)(task, options.data, n) for task, n in zip(tasks, steps, strict=True)):
            rows.append(row)
            reached = {name: each[0] for name, each in row["skill"].items() if name in TESTS}
            print("{data} {group}: {variant}, {learning_rate}, seed {seed}".format(**row), reached, flush=True)
            write_rows(rows, path)
    return rows


def run_baselines(data, folder):
    """Results of the baselines, in the same form as the results of the transformers."""
    filled = scores(problem_of(data, folder, "main"))
    task = dict.fromkeys(TASK) | {"data": data, "group": "baseline"}
    return [task | {"variant": name, "skill": skills} for name, skills in filled.items()]


def outside(folder):
    """Root mean square of features in other longitudes, and the share of features beyond 0.9 of a clip of 3."""
    for data in ("winds", "sea"):
        problem = problem_of(data, folder, "main")
        for options in ({}, {"clip": None}, {"n_components": "shannon"}, {"domain": "globe"}):
            features, _ = features_of(VARIANTS["skgeo, region"].but(scale="none", **options), problem.train[0].patches)
            values = features(problem.tests["east"].patches)
            print(data, options, f"{np.sqrt((values**2).mean()):.2g}, {(abs(values) > 2.7).mean():.0%}")


def quick(folder):
    """A short training with and without position. It fails if position does not help."""
    there = (folder / "ostia_monthly.nc").exists()
    problem = patch_fields.sea(folder) if there else patch_fields.drawn()
    print("OSTIA" if there else f"random fields: no ostia_monthly.nc in {folder}")
    reached = {}
    for variant in ("none", "skgeo, region"):
        task = dict(zip(TASK, ("sea", "main", variant, 0, 3e-3), strict=True))
        row = run(task, folder, steps=120, n_test=32, problem=problem)
        reached[variant] = row["skill"]["same"][0]
        print(f"{variant:20} {100 * reached[variant]:5.1f} %, {row['parameters']:,} parameters, {row['seconds']} s")
    return 0 if reached["skgeo, region"] > reached["none"] + 0.02 else 1


def main():
    """Run the tasks without a result, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two short trainings; nothing is written")
    parser.add_argument("--outside", action="store_true", help="print the size of features outside; nothing is written")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the fields")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the results")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--steps", type=int, default=1600, help="training steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2), help="random seeds")
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS, help="parts to run")
    options = parser.parse_args()
    if options.quick:
        return quick(options.data)
    if not (options.data / "eraint_uvz.nc").exists():
        print(f"skipped: no eraint_uvz.nc in {options.data}")
        return 0
    if options.outside:
        outside(options.data)
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "patch_transfer.json"
    rows = run_all([part for name in options.only for part in PARTS[name]], options, path)
    for data in set(FIELDS) - {row["data"] for row in rows if row["group"] == "baseline"}:
        rows += run_baselines(data, options.data)
        write_rows(rows, path)
    report(rows, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
