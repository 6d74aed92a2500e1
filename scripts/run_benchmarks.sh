#!/usr/bin/env bash
# All benchmarks in their quick modes, with the interpreter that is given: scripts/run_benchmarks.sh [PYTHON].
# They fail where skgeo and a peer disagree. Their times say nothing on a busy machine.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "=== benchmarks/run.py --quick"
"$python" benchmarks/run.py --quick --out "$scratch"
for benchmark in gaussian_process folds reproducibility soak; do
  echo "=== benchmarks/$benchmark.py --quick"
  "$python" "benchmarks/$benchmark.py" --quick
done
