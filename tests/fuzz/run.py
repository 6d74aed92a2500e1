"""Feed every public entry point with valid and invalid input, and hold it to its contract.

    python tests/fuzz/run.py --examples 200000   # a quarter of an hour on two cores
    python tests/fuzz/run.py --quick             # 400, and the sibling campaigns, for CI: 20 seconds of computing
    python tests/fuzz/run.py --only load --examples 5000 --seed 3 --batch 50

Inputs (inputs.py) carry the truth: whether they are valid, and what they are in plain float64. The contract
(contract.py): valid input gives finite output of the right shape, that of plain float64 numbers; invalid input
raises ValueError, TypeError, CoordinateError, ModelFileError, NotFittedError or ImportError with a message and leaves
the estimator as it was; nothing warns of arithmetic, and nothing takes more than seconds.

Grids, cells and tables as real files hold them (conventions.py, models.py, tables.py) carry their true
cells and places. The contract (readings.py): they are read right, or raise one CoordinateError, or warn with
CoordinateWarning; and what files ordinarily hold is read right without a word.

The same seed makes the same inputs. A new entry point is a line in entries.py, which has to feed every public
name. Writes fuzz.json: inputs by entry point.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import contract
import hypothesis
import torch
from entries import ENTRIES, uncovered
from hypothesis import strategies as st
from inputs import Source
from threadpoolctl import threadpool_limits

SIBLINGS = Path(__file__).parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=200_000, help="number of inputs")
    parser.add_argument("--quick", action="store_true", help="400 inputs, one process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="names of entry points, comma between")
    parser.add_argument("--batch", type=int, default=250, help="inputs from one seed; the first failure ends them")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shrink", action="store_true", help="look for the smallest input that fails")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    if uncovered():
        raise SystemExit(f"no entry point of entries.py covers {', '.join(uncovered())}: add a line there")
    wanted, processes = (400, 1) if options.quick else (options.examples, options.processes)
    start = time.monotonic()
    counts, seconds, failures, accidents = run(tasks(wanted, options), processes, wanted)
    total = counts.total()
    print(f"\n{total:,} inputs, {len(failures)} failures, {time.monotonic() - start:.0f} s")
    for name in sorted(counts):
        print(f"{counts[name]:8,} {1000 * seconds[name] / counts[name]:7.1f} ms  {name}")
    for text, (task, number) in failures.items():
        print(f"\n=== {task}, {number} times\n{text}")
    if os.environ.get("FUZZ_ACCIDENTS"):
        print(*(f"{number:6} {text}" for text, number in accidents.most_common(80)), sep="\n")
    # The sibling campaigns: hostile model files, and accidents while a process works.
    if options.quick and not options.only:
        for sibling in ("hostile_files.py", "accidents.py"):
            print(f"\n{sibling} --quick", flush=True)
            failures |= {sibling: 1} if subprocess.call([sys.executable, SIBLINGS / sibling, "--quick"]) else {}
    if failures:
        raise SystemExit(1)
    if not options.quick and not options.only:
        options.out.mkdir(parents=True, exist_ok=True)
        result = {
            "examples": total,
            "seed": options.seed,
            "failures": len(failures),
            "inputs": dict(sorted(counts.items())),
        }
        (options.out / "fuzz.json").write_text(json.dumps(result, indent=1) + "\n")


def tasks(wanted, options):
    """Batches of all entry points, mixed: name, number, seed."""
    entries = [each for each in ENTRIES if not options.only or each.name in options.only.split(",")]
    if not entries:
        raise SystemExit(f"--only={options.only}: expected some of {', '.join(each.name for each in ENTRIES)}")
    shares = sum(each.share for each in entries)
    batches = []
    for each in entries:
        left, number = max(1, -int(-wanted * each.share // shares)), 0
        while left > 0:
            size = min(left, options.batch)
            seed = zlib.crc32(f"{each.name} {options.seed} {number}".encode())
            batches.append((seed, each.name, size, options.shrink))
            left, number = left - size, number + 1
    return sorted(batches)


def run(batches, processes, wanted):
    """Run all batches; returns inputs, seconds, failures by text, and accidents."""
    counts, seconds, failures, accidents = Counter(), Counter(), {}, Counter()
    start = shown = time.monotonic()
    with contextlib.ExitStack() as stack:
        if processes == 1:  # a pool would import everything again
            alone()
            results = map(run_batch, batches)
        else:
            pool = multiprocessing.get_context("spawn").Pool(processes, initializer=alone)
            results = stack.enter_context(pool).imap_unordered(run_batch, batches)
        for name, number, took, failure, slips in results:
            counts[name] += number
            seconds[name] += took
            accidents.update(slips)
            if failure:
                first, task, text = failure
                known = next((known for known in failures if known.startswith(first)), text)
                failures[known] = (failures.get(known, (task, 0))[0], failures.get(known, (task, 0))[1] + 1)
                if known is text:
                    print(f"\n{task}:\n{text}", flush=True)
            if time.monotonic() - shown > 5:
                shown = time.monotonic()
                end = "\r" if sys.stdout.isatty() else "\n"
                done, rate = counts.total(), counts.total() / (shown - start)
                print(f"{done:,} of {wanted:,}, {rate:.0f} a second, {len(failures)} failures", end=end, flush=True)
    return counts, seconds, failures, accidents


def alone():
    """One thread to a process: the inputs are small."""
    threadpool_limits(1)
    torch.set_num_threads(1)


def run_batch(batch):
    """Run some inputs of one entry point, until one fails."""
    seed, name, size, shrink = batch
    chosen = next(each for each in ENTRIES if each.name == name)
    number, stories = 0, []
    phases = (hypothesis.Phase.generate, hypothesis.Phase.shrink) if shrink else (hypothesis.Phase.generate,)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
    )
    @hypothesis.given(st.data())
    def example(data):
        nonlocal number
        number += 1
        source = Source(data)
        try:
            with contract.quiet():
                chosen.run(source)
        except Exception:
            stories.append(source.story)
            raise

    contract.accidents.clear()
    start, failure = time.monotonic(), None
    try:
        example()
    except Exception as error:
        task = f"--only {name} (batch seed {seed})"
        first = f"{type(error).__name__}: {str(error)[:120]}"
        failure = first, task, f"{type(error).__name__}: {error}\n" + "\n".join(stories[-1] if stories else [])
    return name, number, time.monotonic() - start, failure, Counter(contract.accidents)


if __name__ == "__main__":
    main()
