"""Measure skgeo beside its peers and the physical limit: a table in the terminal and the documentation, and a picture.

Every contender of a workload lives in a process of its own, with a given number of threads; they take turns, and the
median of the turns counts. Memory is the peak resident size of the process. skgeo alone is measured once more as it
comes, with no number of threads given to anything: on a quiet machine, and beside a process that keeps a core busy.

    python benchmarks/run.py                # about an hour, 8 GB of memory, on a machine that does nothing else
    python benchmarks/run.py --quick        # small, under two minutes: only to see that all results are right
    python benchmarks/run.py --threads defaults busy --only "fit, sea, 720"     # these rows anew, the others are kept
    python benchmarks/run.py --only degrees                                     # all rows and curves of regions
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import re
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

DEFAULTS = {"defaults": "defaults", "busy": "defaults, beside a busy process"}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
PACKAGES = ("skgeo", "numpy", "scipy", "scikit-learn", "sphericart", "joblib")
SHORTEST = 0.2  # seconds; what is faster is repeated within a turn
LONGEST_WARM_UP = 2.0  # seconds; what is slower needs none
PEERS = ("straightforward", "scikit-learn")


def forget_peak():
    """Let ``VmHWM`` start anew, where the system can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def resident(field):
    """``VmRSS`` (now) or ``VmHWM`` (the most so far) of this process in MB; nan where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024


def worker(connection, threads, quick, index, name):
    """Prepare one contender, then take a turn at every request; after the last one give sample and memory."""
    import warnings

    from workloads import workloads

    warnings.simplefilter("ignore")  # that 96 components cut through a group is no news here
    workload = workloads(threads if isinstance(threads, int) else None, quick=quick)[index]
    work = workload.contenders[name]()
    before, number, result = resident("VmRSS"), 0, None
    connection.send("ready")
    while connection.recv() == "go":
        if not number:  # how often a turn has to repeat the work; the first time also warms up
            start = time.perf_counter()
            result = work()
            seconds = time.perf_counter() - start
            number = max(1, round(SHORTEST / seconds))
            if seconds > LONGEST_WARM_UP:
                connection.send(seconds)
                continue
        start = time.perf_counter()
        for _ in range(number):
            result = None  # so that its memory is free for the next
            result = work()
        connection.send((time.perf_counter() - start) / number)
    peak = resident("VmHWM")
    sample = None if workload.sample is None or name.startswith("limit") else workload.sample(result)
    connection.send((sample, before, peak))


@contextlib.contextmanager
def setting(threads):
    """The environment of a measurement: numbers of threads, or none and, where asked for, a process that is busy."""
    if isinstance(threads, int):
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        yield
        return
    for name in THREAD_VARIABLES:
        os.environ.pop(name, None)
    if threads == DEFAULTS["defaults"]:
        yield
        return
    busy = multiprocessing.get_context("spawn").Process(target=spin, daemon=True)
    busy.start()
    try:
        yield
    finally:
        busy.terminate()
        busy.join()


def spin():
    """Keep one core busy, half with numpy and half with the interpreter, until the process is ended."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    square = np.random.default_rng(0).standard_normal((300, 300)) / 300
    with threadpool_limits(1):
        while True:
            square = np.tanh(square @ square + 1.0) / 300
            sum(range(200_000))


class Contender:
    """The process of one contender."""

    def __init__(self, *task):
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=worker, args=(other, *task))
        self.process.start()
        self.times = []
        self.connection.recv()

    def turn(self):
        """Do the work once more, or a few times, and note how long once takes."""
        try:
            self.connection.send("go")
            self.times.append(self.connection.recv())
        except (EOFError, BrokenPipeError):  # killed, most likely for want of memory
            self.times.append(float("inf"))

    def stop(self):
        """End the process; returns the sample of its result, and its memory before and at most."""
        try:
            self.connection.send("stop")
            last = self.connection.recv()
        except (EOFError, BrokenPipeError):
            last = None, float("nan"), float("nan")
        self.process.join()
        return last


def measure(workload, index, threads, quick, n_rounds):
    """One block of the table: a row for each contender."""
    import numpy as np

    names = [name for name in workload.contenders if name != "sphericart" or find_spec("sphericart")]
    once = set(workload.slow)
    if isinstance(threads, str):
        names = [name for name in names if name.startswith("skgeo") and name not in once]
    elif threads > 1:  # the slow peers hardly gain by threads: one turn shows it
        names = [name for name in names if not name.startswith(PEERS) or name not in once]
        once.update(name for name in names if name.startswith(PEERS))
    contenders = {name: Contender(threads, quick, index, name) for name in names}
    for turn in range(n_rounds):
        for name, contender in contenders.items():
            if turn == 0 or name not in once:
                contender.turn()
    exact = workload.exact() if workload.exact else None
    rows = []
    fastest = statistics.median(contenders[names[0]].times)
    for name, contender in contenders.items():
        sample, before, peak = contender.stop()
        seconds = statistics.median(contender.times)
        error = None if sample is None or exact is None else float(np.abs(sample - exact).max() / np.abs(exact).max())
        row = {"workload": workload.title, "threads": threads, "contender": name, "seconds": seconds}
        row |= {"turns": contender.times, "ratio": seconds / fastest, "error": error}
        rows.append(row | {"peak_mb": peak, "growth_mb": peak - before})
        if name.startswith("skgeo") and error is not None and error > workload.bound:
            raise SystemExit(f"{workload.title}: {name} is off by {error:.1e}, more than {workload.bound:.0e}.")
    return rows


def show(rows):
    """Print one block of the table."""
    print(f"\n{rows[0]['workload']}; threads: {rows[0]['threads']}, median of {len(rows[0]['turns'])} turns")
    for row in rows:
        error = "" if row["error"] is None else f"error {row['error']:.0e}"
        memory = f"peak {row['peak_mb']:7.0f} MB, {row['growth_mb']:+7.0f} MB"
        ratio = f"{row['ratio']:10.2f} x skgeo"
        once = " (once)" if len(row["turns"]) < len(rows[0]["turns"]) else ""
        print(f"  {row['contender']:30}{row['seconds']:12.5f} s {ratio}   {memory}   {error}{once}", flush=True)


def merge(rows, new):
    """Rows with those of a workload and number of threads in the place of its earlier ones, if there are any."""
    key = new[0]["workload"], new[0]["threads"]
    same = [(row["workload"], row["threads"]) == key for row in rows]
    place = same.index(True) if any(same) else len(rows)
    kept = [row for row, old in zip(rows, same, strict=True) if not old]
    return [*kept[:place], *new, *kept[place:]]


def machine():
    """What the figures depend on."""
    try:
        model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())[1]
    except (OSError, TypeError):
        model = platform.processor()
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "versions": versions}


def main():
    """Run all workloads, with one and with two threads, and those of skgeo with its defaults."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small inputs: checks results, says nothing about speed")
    parser.add_argument("--threads", nargs="+", default=["1", "2", *DEFAULTS], help="numbers, 'defaults', 'busy'")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="workloads whose title has this in it; the other results are kept")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    n_rounds = 1 if options.quick else options.rounds
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # for the libraries of this process, which measures growth

    from growth import growth, regions
    from report import draw, write_text
    from workloads import workloads

    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "benchmark.json"
    result = json.loads(path.read_text()) if options.only and path.exists() else {"rows": [], "growth": []}
    result["machine"] = machine()
    for asked in [options.threads[0], *DEFAULTS] if options.quick else options.threads:
        threads = DEFAULTS.get(asked) or int(asked)
        with setting(threads):
            for index, workload in enumerate(workloads(None, quick=options.quick)):
                if options.only in workload.title and not (
                    isinstance(threads, str) and workload.first in workload.slow
                ):
                    rows = measure(workload, index, threads, options.quick, n_rounds)
                    show(rows)
                    result["rows"] = merge(result["rows"], rows)
                    path.write_text(json.dumps(result, indent=1))
    if not options.only:
        result["growth"] = growth(quick=options.quick)
    # The rows of regions and their curves belong together: --only degrees measures both.
    if options.only in ("", "degrees"):
        result["regions"] = regions(quick=options.quick)
        path.write_text(json.dumps(result, indent=1))
    draw(result, options.out / "benchmark.png")
    write_text(result, options.out / "benchmark.rst")
    print(f"\n{options.out}: benchmark.json, benchmark.png, benchmark.rst")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
