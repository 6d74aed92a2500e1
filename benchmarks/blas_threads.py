"""From which size of matrix a second thread of BLAS pays, on an idle machine and beside a process that is busy.

    python benchmarks/blas_threads.py          # some ten minutes, on a machine that does nothing else
    python benchmarks/blas_threads.py --quick  # a second: only to see that it runs

Median milliseconds of the steps of a fit (the eigenproblem as a whole and by way of a tridiagonal matrix, Cholesky's
factor, a product) with one thread and with two, at the numbers of harmonics to degree 10, 20, 24, 30, 40 and 60. The
number in skgeo/_kernels/threads.py follows from it. Writes blas_threads.json and blas_threads.rst.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
from run import DEFAULTS, machine, setting
from scipy import linalg
from scipy.linalg import lapack
from tables import write_table
from threadpoolctl import threadpool_limits

SIZES = [(degree + 1) ** 2 - 1 for degree in (10, 20, 24, 30, 40, 60)]
CONDITIONS = {"idle": DEFAULTS["defaults"], "beside a busy process": DEFAULTS["busy"]}


def tridiagonal(matrix):
    size = len(matrix)
    work = int(lapack.dsytrd_lwork(size, lower=1)[0])
    _, diagonal, beside, _, _ = lapack.dsytrd(matrix, lower=1, lwork=work)
    return linalg.eigvalsh_tridiagonal(diagonal, beside)


STEPS = {
    "eigenproblem": lambda matrix: linalg.eigh(matrix, driver="evd"),
    "eigenvalues": tridiagonal,
    "Cholesky": lambda matrix: linalg.cholesky(matrix, lower=True),
    "product": lambda matrix: matrix @ matrix,
}


def median(work, seconds):
    """Median milliseconds of repeated work: three times at least, and for so many seconds."""
    work()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure(sizes, seconds):
    """A row for every condition, step and size."""
    rng = np.random.default_rng(0)
    for condition, threads in CONDITIONS.items():
        with setting(threads):
            for size in sizes:
                table = rng.standard_normal((size, 2 * size))
                matrix = table @ table.T / (2 * size)
                for step, work in STEPS.items():
                    row = {"condition": condition, "step": step, "size": size}
                    for number in (1, 2):
                        with threadpool_limits(number, user_api="blas"):
                            row[f"{number} threads"] = median(lambda work=work, matrix=matrix: work(matrix), seconds)
                    print(row, flush=True)
                    yield row


def table(rows):
    yield "condition", "work", "rows", "one thread, ms", "two threads, ms", "gain"
    for row in rows:
        one, two = row["1 threads"], row["2 threads"]
        yield row["condition"], row["step"], row["size"], f"{one:.3g}", f"{two:.3g}", f"{one / two:.2g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one small size")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder for the results")
    options = parser.parse_args()
    rows = list(measure([24] if options.quick else SIZES, 0.01 if options.quick else 2.0))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "blas_threads.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    write_table(table(rows), options.out / "blas_threads.rst")


if __name__ == "__main__":
    main()
