"""What happens to a process while it works: killed in a save, a full disk, Ctrl-C at any moment, forks beside threads.

    python tests/fuzz/accidents.py           # some minutes
    python tests/fuzz/accidents.py --quick   # some 5 seconds of computing, for CI
    python tests/fuzz/accidents.py --only kill,interrupt

The contract. After kill -9 in a save over an existing file, the file is the old or the new one, whole. On a full disk
the old file stays and nothing is left beside it. Processes that save and load one file at the same time always load a
whole model. After Ctrl-C in fit, partial_fit or transform, the estimator is as it was or as after the call, and BLAS
has as many threads as before. A child that is forked while threads transform has all BLAS threads, and transforms.
Writes accidents.json: trials and failures.
"""

import argparse
import contextlib
import errno
import json
import multiprocessing
import os
import pickle
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import skgeo
from skgeo import LatLonGrid, SphericalHarmonicPCA
from skgeo.exceptions import ModelFileError

GRID = LatLonGrid(np.arange(-85, 90, 10.0), np.arange(5, 360, 10.0))
PLACES = GRID.points()[:60]
#: Trials of each accident: at length, and with --quick.
TRIALS = {"kill": (300, 8), "disk": (200, 12), "crowd": (400, 16), "interrupt": (20_000, 300), "fork": (200, 8)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help=f"some of {', '.join(TRIALS)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which are tried here
    result = {}
    for name, numbers in TRIALS.items():
        if options.only and name not in options.only.split(","):
            continue
        start, trials = time.process_time(), numbers[options.quick]
        with tempfile.TemporaryDirectory() as folder:
            failures = globals()[f"try_{name}"](trials, random.Random(options.seed), Path(folder))
        result[name] = {"trials": trials, "failures": len(failures)}
        print(f"{name}: {trials:,} trials, {len(failures)} failures, {time.process_time() - start:.1f} s of computing")
        for text in sorted(set(failures))[:10]:
            print(f"  {text}")
    if not options.quick and not options.only:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "accidents.json").write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(any(each["failures"] for each in result.values()))


def models():
    """Two models that are told apart by their degree."""
    return [SphericalHarmonicPCA(degree).fit(GRID) for degree in (3, 8)]


def problem(path, folder, left=0):
    """What is wrong with a file that should be one of the two models, alone in its folder; None if nothing is."""
    try:
        model = skgeo.load(path)
    except (ModelFileError, OSError) as error:
        return f"{type(error).__name__}: {str(error)[:80]}"
    if model.max_degree not in (3, 8) or not np.isfinite(model.transform(PLACES)).all():
        return "another model"
    beside = len(os.listdir(folder)) - 1
    return f"{beside} files are left beside it" if beside > left else None


def save_for_ever(path):
    both = models()
    while True:
        for model in both:
            skgeo.save(model, path)


def try_kill(trials, rng, folder):
    """Kill a process that saves over an existing file."""
    path, failures = folder / "model.npz", []
    skgeo.save(models()[0], path)
    spawn = multiprocessing.get_context("fork")
    for trial in range(trials):
        process = spawn.Process(target=save_for_ever, args=(path,))
        process.start()
        time.sleep(rng.uniform(0.02, 0.12))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        # A killed process cannot remove its temporary file: one each is what a kill may leave.
        failures.append(problem(path, folder, left=trial + 1))
    return list(filter(None, failures))


class FullDisk:
    """A file object on a disk that has room for some bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, content):
        self.file.write(content[: self.room])
        if len(content) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()


def try_disk(trials, rng, folder):
    """Save where the disk becomes full, at any byte, at the flush to the disk, or at the change of names."""
    from skgeo._output import integrity

    path, failures = folder / "model.npz", []
    old, new = models()
    skgeo.save(old, path)
    size = path.stat().st_size

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    real_fsync, real_replace = os.fsync, os.replace
    for trial in range(trials):
        if trial % 3 == 0:
            room = rng.randrange(size)
            integrity.open = lambda *how, room=room: FullDisk(open(*how), room)  # noqa: SIM115
        elif trial % 3 == 1:
            os.fsync = full
        else:
            os.replace = full
        try:
            skgeo.save(new, path)
            failures.append("a full disk was not noticed")
        except OSError:
            pass
        finally:
            os.fsync, os.replace = real_fsync, real_replace
            vars(integrity).pop("open", None)
        found = problem(path, folder)
        failures += [found] if found else []
        failures += [] if skgeo.load(path).max_degree == 3 else ["the old file is gone"]
    return failures


def save_and_load(path, number, trials, queue):
    both = models()
    for trial in range(trials):
        if (trial + number) % 2:
            skgeo.save(both[trial % 2], path)
        else:
            found = problem(path, path.parent, left=8)
            if found:
                queue.put(found)


def try_crowd(trials, rng, folder):
    """Eight processes save and load one file at the same time."""
    path, context = folder / "model.npz", multiprocessing.get_context("fork")
    skgeo.save(models()[0], path)
    queue = context.Queue()
    processes = [context.Process(target=save_and_load, args=(path, i, trials // 8 + 1, queue)) for i in range(8)]
    for process in processes:
        process.start()
    failures = []
    for process in processes:
        process.join()
        if process.exitcode:
            failures.append(f"a process ended with {process.exitcode}")
    while not queue.empty():
        failures.append(queue.get())
    return failures


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def snapshot(model):
    return pickle.dumps(model.__getstate__())


def try_interrupt(trials, rng, folder):
    """Raise KeyboardInterrupt at random moments, and keep the tracebacks, as a prompt of Python keeps the last one."""
    failures, kept = [], []
    signal.signal(signal.SIGALRM, _interrupt)
    half = LatLonGrid(np.arange(-85, 0, 10.0), np.arange(5, 360, 10.0))
    calls = {
        "fit": (lambda model: model.fit(GRID), 2e-3),
        "partial_fit": (lambda model: model.partial_fit(half), 2e-3),
        "transform": (lambda model: model.transform(PLACES), 6e-4),
    }
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        for trial in range(trials):
            name = list(calls)[trial % 3]
            call, longest = calls[name]
            model = SphericalHarmonicPCA(4).fit(half)
            states = [snapshot(model)]
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, longest))
                call(model)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt as error:
                kept.append(error)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            state = snapshot(model)
            if state not in states:
                done = SphericalHarmonicPCA(4).fit(half)
                call(done)
                if state != snapshot(done):
                    failures.append(f"{name} left an estimator that is neither as before nor as after")
            if trial % 50 == 0:
                if blas_threads() != before:
                    failures.append(f"BLAS has {blas_threads()} threads after an interrupt, before {before}")
                kept = kept[-5:]
    return failures


def _interrupt(number, frame):
    raise KeyboardInterrupt


def try_fork(trials, rng, folder):
    """Fork while two threads transform."""
    failures, stop = [], threading.Event()
    model = SphericalHarmonicPCA(6).fit(GRID)
    expected = model.transform(PLACES)

    def work():
        while not stop.is_set():
            model.transform(PLACES)

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(trials):
                time.sleep(rng.uniform(0.0, 0.01))
                child = os.fork()
                if child == 0:
                    with contextlib.suppress(BaseException):
                        signal.alarm(20)
                        right = np.array_equal(model.transform(PLACES), expected)
                        os._exit(0 if right and blas_threads() == before else 1)
                    os._exit(2)
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                if status:
                    failures.append(
                        {1: "a child has fewer BLAS threads, or other numbers"}.get(status, f"exit {status}")
                    )
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    return failures


if __name__ == "__main__":
    main()
