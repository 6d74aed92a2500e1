"""Threads share the work and leave BLAS as they found it."""

import dis
import os
import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import reference
from skgeo import LatLonGrid, PatchPositionEncoder, SphericalGaussianProcessRegressor, SphericalHarmonicPCA
from skgeo._kernels import threads as _parallel
from skgeo._kernels.threads import one_blas_thread, run_in_threads
from skgeo.model_selection import NearestNeighbourDistanceKFold, SphericalBlockKFold

PARTS = [slice(i, i + 1) for i in range(40)]


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_results_come_in_order_on_the_thread_of_the_caller(n_jobs):
    seen = []
    run_in_threads(lambda part: part.start**2, PARTS, n_jobs, lambda part, result: seen.append((part, result, here())))
    assert seen == [(part, part.start**2, here()) for part in PARTS]


def here():
    return threading.current_thread().name


def test_blas_threads_one_inside_restored_afterwards():
    with threadpool_limits(2, user_api="blas"):
        before, inside = blas_threads(), []
        run_in_threads(lambda part: inside.append(blas_threads()), PARTS, 2)
        assert inside == [{1}] * len(PARTS)
        assert blas_threads() == before

        def fail(part):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run_in_threads(fail, PARTS, 2)
        assert blas_threads() == before


def test_two_callers_at_once_leave_blas_as_it_was():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first_is_in, second_is_in = threading.Event(), threading.Event()

        def first(part):
            first_is_in.set()
            second_is_in.wait(10)

        def second(part):
            second_is_in.set()

        callers = [threading.Thread(target=run_in_threads, args=(work, PARTS[:4], 2)) for work in (first, second)]
        callers[0].start()
        assert first_is_in.wait(10)
        callers[1].start()
        for caller in callers:
            caller.join()
        assert blas_threads() == before


def test_one_part_needs_no_threads():
    seen = []
    run_in_threads(lambda part: seen.append(here()), PARTS[:1], 2)
    assert seen == [here()]
    run_in_threads(lambda part: np.empty(0), [], 2)


POINTS = reference.uniform_points(200)
GRID = LatLonGrid(np.arange(-85, 90, 10.0), np.arange(5, 360, 10.0))


def watch(monkeypatch, place):
    """Note how many threads BLAS has whenever a function is called."""
    owner, name = place.rsplit(".", 1)
    module = sys.modules[owner]
    function, seen = getattr(module, name), []
    monkeypatch.setattr(module, name, lambda *args, **kwargs: seen.append(blas_threads()) or function(*args, **kwargs))
    return seen


@pytest.mark.parametrize(
    ("place", "work"),
    [
        ("skgeo._pca.domain_eigenbasis", lambda: SphericalHarmonicPCA(4).fit(GRID)),
        ("skgeo._pca.domain_eigenbasis", lambda: SphericalHarmonicPCA(4).partial_fit(POINTS)),
        ("skgeo._pca.domain_eigenbasis", lambda: PatchPositionEncoder(SphericalHarmonicPCA(4)).fit(GRID.patches(3))),
        ("skgeo._kernels.domain._wave_sums", lambda: SphericalHarmonicPCA(4).fit(GRID)),
        (
            "skgeo._kernels.harmonic_gp.second_moment",
            lambda: SphericalGaussianProcessRegressor(method="harmonics", max_degree=3).fit(POINTS, POINTS[:, 0]),
        ),
        ("skgeo.model_selection._blocks.own_frame", lambda: list(SphericalBlockKFold(3).split(POINTS))),
        ("skgeo._kernels.clusters.np.linalg.eigh", lambda: NearestNeighbourDistanceKFold(GRID, 3).match(POINTS)),
    ],
)
def test_small_matrices_have_one_thread(monkeypatch, place, work):
    owner, _, name = place.partition(".np.")
    seen = watch(monkeypatch, f"numpy.{name}" if name else owner)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        work()
        assert blas_threads() == before
    assert seen
    assert all(threads == {1} for threads in seen)


def test_large_matrices_have_all_threads(monkeypatch):
    seen = watch(monkeypatch, "skgeo._pca.domain_eigenbasis")
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        for large in (26, 25):
            monkeypatch.setattr(_parallel, "_MIN_THREADED_ROWS", large)
            SphericalHarmonicPCA(4).fit(GRID)
    assert seen == [{1}, before]


def test_a_failed_fit_leaves_blas_as_it_was():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(ValueError, match="no extent"):
            SphericalHarmonicPCA(4).fit([[48, 2]])
        assert blas_threads() == before


def interrupted(at):
    """Enter and leave the limit twice over, and interrupt one step of it. Whether there were so many steps.

    The interpreter looks for Ctrl-C when a function starts and when a call returns.
    """
    steps, last = 0, {}

    def trace(frame, event, argument):
        nonlocal steps
        code = frame.f_code
        if code.co_filename != _parallel.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            before, last[frame] = last.get(frame, ""), dis.opname[code.co_code[frame.f_lasti]]
            if before.startswith(("RESUME", "CALL")):
                steps += 1
                if steps > at:
                    sys.settrace(None)
                    last.clear()
                    raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    # Python 3.12 traces single steps only if a frame asked for them before settrace.
    sys._getframe().f_trace_opcodes = True
    try:
        sys.settrace(trace)
        with one_blas_thread(), one_blas_thread():
            pass
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interrupt_at_any_moment_leaves_blas_as_it_was():
    with threadpool_limits(2, user_api="blas"):
        before, at = blas_threads(), 0
        while interrupted(at):
            assert (at, blas_threads()) == (at, before)
            assert not _parallel._Limit.holders
            at += 1
        assert at > 20
        run_in_threads(lambda part: None, PARTS)
        assert blas_threads() == before


def test_both_libraries_of_linear_algebra_are_known():
    code = """
import skgeo._kernels.threads
known = {library.filepath for library in skgeo._kernels.threads._libraries()}
import scipy.linalg, scipy.optimize, sklearn.linear_model, skgeo.model_selection
from threadpoolctl import threadpool_info
assert known == {library["filepath"] for library in threadpool_info() if library["user_api"] == "blas"}, known
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_beside_a_thread_at_work_has_all_threads():
    inside, done = threading.Event(), threading.Event()

    def work():
        with one_blas_thread():
            inside.set()
            done.wait(10)

    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        other = threading.Thread(target=work)
        other.start()
        assert inside.wait(10)
        child = os.fork()
        if child == 0:
            os._exit(int(blas_threads() != before))
        status = os.waitpid(child, 0)[1]
        done.set()
        other.join()
        assert os.waitstatus_to_exitcode(status) == 0
        assert blas_threads() == before


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 1), (1, 1), (2, 2), (9, 4), (-1, 4), (-2, 3), (-9, 1)])
def test_the_number_of_threads_is_that_of_joblib(monkeypatch, n_jobs, expected):
    monkeypatch.setattr(_parallel, "cpu_count", lambda: 4)
    assert _parallel._n_threads(n_jobs) == expected
    with joblib.parallel_config("loky", n_jobs=3):
        assert _parallel._n_threads(None) == 3
