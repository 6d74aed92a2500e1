"""Threads share the work and leave BLAS as they found it."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skgeo._parallel import each

PARTS = [slice(i, i + 1) for i in range(40)]


def blas_threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_results_come_in_order_on_the_thread_of_the_caller(n_jobs):
    seen = []
    each(lambda part: part.start**2, PARTS, n_jobs, lambda part, result: seen.append((part, result, here())))
    assert seen == [(part, part.start**2, here()) for part in PARTS]


def here():
    return threading.current_thread().name


def test_blas_has_one_thread_inside_and_as_many_as_before_afterwards():
    with threadpool_limits(2, user_api="blas"):
        before, inside = blas_threads(), []
        each(lambda part: inside.append(blas_threads()), PARTS, 2)
        assert inside == [{1}] * len(PARTS)
        assert blas_threads() == before

        def fail(part):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            each(fail, PARTS, 2)
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

        callers = [threading.Thread(target=each, args=(work, PARTS[:4], 2)) for work in (first, second)]
        callers[0].start()
        assert first_is_in.wait(10)
        callers[1].start()
        for caller in callers:
            caller.join()
        assert blas_threads() == before


def test_one_part_needs_no_threads():
    seen = []
    each(lambda part: seen.append(here()), PARTS[:1], 2)
    assert seen == [here()]
    each(lambda part: np.empty(0), [], 2)
