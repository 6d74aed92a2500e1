#!/usr/bin/env bash
# All experiments in their quick modes, with the interpreter that is given: scripts/run_experiments.sh [PYTHON].
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}

for experiment in contrastive downstream location_time patch_transfer pretrained regional resolution; do
  echo "=== experiments/$experiment.py --quick"
  "$python" -m "experiments.$experiment" --quick
done
if [ -f ../shared/data/location_encoder_recipes.json ]; then
  for experiment in land_ocean land_ocean_models land_ocean_gp checkerboard species; do
    echo "=== experiments/$experiment.py --quick"
    "$python" -m "experiments.$experiment" --quick
  done
else
  echo "skipped: the published land-ocean points and recipes are not beside the repository"
fi
