"""Is a transformer that starts from kriging better than kriging? It learns the error of kriging, on the winds.

First, simple kriging of the visible pixels fills the hidden patches, with the length scale that is best on the
validation field. The transformer of patch_transfer.py reads the kriged values beside the visible values. The script
adds the output of the transformer to the kriged values. Before the training this output is zero.

    python -m experiments.patch_residual             # three seeds, two minutes each on one core
"""

import argparse
import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.tables import mean_and_deviation, write_rows, write_table
from experiments import patch_baselines, patch_fields
from experiments.patch_fields import HIDDEN, TESTS
from experiments.patch_positions import VARIANTS, WIDTH, Filler, features_of, make_positions
from experiments.patch_transfer import BATCH, DATA, HERE, Sample, skill

LEARNING_RATE = 3e-3


class Residual(Filler):
    """A transformer that learns a correction and adds it to a first guess."""

    def __init__(self, n_values, position):
        super().__init__(n_values, position)
        self.see = nn.Linear(n_values, WIDTH)
        for parameter in self.write[1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, values, valid, hidden, features, patches, guess):
        """The sum of the guess and the correction."""
        tokens = self.read(torch.cat([values, valid.to(values.dtype)], dim=-1))
        tokens = torch.where(hidden[..., None], self.hidden, tokens) + self.see(guess)
        tokens, masks = self.position(features, tokens), self.position.masks(patches, len(self.layers.layers))
        for layer, mask in zip(self.layers.layers, masks, strict=True):
            tokens = layer(tokens, src_mask=mask)
        return guess + self.write(tokens)


class GuessedSample(Sample):
    """Windows with the kriged values of the hidden patches."""

    def __init__(self, fill, cut, table, window, n, seed):
        super().__init__(cut, table, window, n, seed)
        _, patch, hidden = cut.draw(window, n, seed, HIDDEN)  # the same as of the sample
        windows = zip(self.values.numpy(), self.valid.numpy(), patch, hidden, strict=True)
        self.guess = torch.from_numpy(np.stack([fill(cut, *each) for each in windows]).astype(np.float32))

    def squares(self, model, part=slice(None)):
        """Squared errors and squared values of the hidden pixels, zero elsewhere."""
        names = ("values", "valid", "hidden", "features", "patches", "guess")
        filled = model(*(getattr(self, name)[part] for name in names))
        values, scored = self.values[part], self.scored[part]
        return [torch.where(scored, each**2, 0.0) for each in (filled - values, values)]

    def skill(self, model):
        """Skill: the share of the variance of hidden pixels that the model explains."""
        with torch.no_grad():
            parts = [self.squares(model, slice(start, start + 64)) for start in range(0, len(self.values), 64)]
        return skill(np.array([sum(each[i].double().sum().item() for each in parts) for i in (0, 1)])[:, np.newaxis])


def run(variant, seed, folder, steps):
    """Train with one seed, and run all tests. The skill of kriging alone comes from patch_transfer.py."""
    torch.set_num_threads(1)
    problem = patch_fields.winds(folder)
    fills = [patch_baselines.kriging(problem, length) for length in patch_baselines.LENGTHS]
    fill = max(fills, key=lambda each: patch_baselines._skill(each, problem.validation, problem.window, 24, seed=1))
    features, head = features_of(position := VARIANTS[variant], problem.train[0].patches)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = Residual(problem.validation.values.shape[-1], make_positions(position, head, problem.window))

    def sample(cut, n, seed):
        return GuessedSample(fill, cut, torch.from_numpy(features(cut.patches)), problem.window, n, seed)

    validation = sample(problem.validation, 64, 1)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.1)
    best, weights = -np.inf, None
    for step in range(1, steps + 1):
        batch = sample(problem.train[step % len(problem.train)], BATCH, (seed, step))
        if position.turned:
            batch.turn(features, generator)
        loss = batch.squares(model)[0].sum() / batch.scored.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % max(1, steps // 10) == 0 and (reached := validation.skill(model)) > best:
            best, weights = reached, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    reached = {name: round(sample(cut, 256, 2).skill(model), 4) for name, cut in problem.tests.items()}
    return {"variant": variant, "seed": seed, "skill": reached}


def table(rows, kriging):
    """Mean and standard deviation of the skill over seeds, and the skill of kriging alone."""
    yield "filler", *TESTS.values()
    for variant in dict.fromkeys(row["variant"] for row in rows):
        of = [[100 * row["skill"][test] for row in rows if row["variant"] == variant] for test in TESTS]
        deviation = (lambda each: np.std(each, ddof=1)) if len(of[0]) > 1 else lambda each: None
        yield f"kriging, then {variant}", *(mean_and_deviation(np.mean(each), deviation(each)) for each in of)
    yield "kriging of the visible", *(f"{100 * kriging[test][0]:.1f}" for test in TESTS)


def main():
    """Run the seeds without a result, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the fields")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the results")
    parser.add_argument("--variants", nargs="+", default=["bias"], help="kinds of position features")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2), help="random seeds")
    parser.add_argument("--steps", type=int, default=1600, help="training steps")
    options = parser.parse_args()
    if not (options.data / "eraint_uvz.nc").exists():
        print(f"skipped: no eraint_uvz.nc in {options.data}")
        return 0
    path = options.out / "patch_residual.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for variant in options.variants:
        for seed in options.seeds:
            if not any((row["variant"], row["seed"]) == (variant, seed) for row in rows):
                rows.append(run(variant, seed, options.data, options.steps))
                print(rows[-1], flush=True)
                write_rows(rows, path)
    known = json.loads((HERE / "results" / "patch_transfer.json").read_text())
    kriging = [row for row in known if row["data"] == "winds" and row["variant"] == "kriging of the visible"]
    write_table(table(rows, kriging[0]["skill"]), options.out / "patch_residual.rst")
    return 0


if __name__ == "__main__":
    sys.exit(main())
