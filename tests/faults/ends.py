"""A program that ends in every way there is, with a job or without: ``python ends.py WAY [bare]``."""

from __future__ import annotations

import concurrent.futures
import ctypes
import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path


class Bare:
    """Stands where the context is, in the program that knows nothing of us."""

    def log_message(self, text, context="info"):
        pass


@contextmanager
def nothing():
    yield Bare()


def begin(way, bare):
    if bare:
        return nothing()
    import synapse_otel
    from synapse_otel.loggers import NoOpLogger

    return synapse_otel.job("train", plugin="demo", job_id=way, logger=NoOpLogger())


def normal(ctx):
    pass


def exit_status(ctx):
    sys.exit(3)


def exit_text(ctx):
    sys.exit("it is over")


def exception(ctx):
    raise ValueError("the work is wrong")


def interrupted_inside(ctx):
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    while True:
        ctx.log_message("in the middle of it")


def os_exit(ctx):
    os._exit(5)


def abort(ctx):
    os.abort()


def segmentation_fault(ctx):
    faulthandler.disable()
    ctypes.string_at(0)


def out_of_memory(ctx):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
    kept = []
    while True:
        kept.append(bytearray(4 << 20))
        ctx.log_message("one more")


def killed_by(number):
    def end(ctx):
        os.kill(os.getpid(), number)
        time.sleep(60)

    return end


def daemon_thread(ctx):
    def work():
        while True:
            ctx.log_message("of a daemon thread")
            time.sleep(0.0005)

    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.01)


def thread_that_goes_on(ctx):
    def work():
        time.sleep(0.1)
        ctx.log_message("after the end")

    threading.Thread(target=work).start()


def thread_pool(ctx):
    pool = concurrent.futures.ThreadPoolExecutor(4)
    for number in range(20):
        pool.submit(ctx.log_message, f"pool {number}")
    # Nobody shuts it down: the interpreter does, at its end.


def replaced_by_another_program(ctx):
    os.execv("/bin/sh", ["sh", "-c", "exit 4"])


def in_a_fork(end):
    def forked(ctx):
        child = os.fork()
        if child == 0:
            ctx.log_message("of the child")
            end()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)

    return forked


def fails():
    raise ValueError("of the child")


def child_of_multiprocessing(ctx):
    child = multiprocessing.get_context("fork").Process(target=ctx.log_message, args=("of the child",))
    child.start()
    child.join()
    print(child.exitcode, flush=True)


WAYS = {
    **{
        way.__name__: way
        for way in (
            normal,
            exit_status,
            exit_text,
            exception,
            interrupted_inside,
            os_exit,
            abort,
            segmentation_fault,
            out_of_memory,
            daemon_thread,
            thread_that_goes_on,
            thread_pool,
            replaced_by_another_program,
            child_of_multiprocessing,
        )
    },
    **{
        number.name: killed_by(number)
        for number in (
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGKILL,
        )
    },
    "child_os_exit": in_a_fork(lambda: os._exit(6)),
    "child_sys_exit": in_a_fork(lambda: sys.exit(7)),
    "child_exception": in_a_fork(fails),
    "child_killed": in_a_fork(lambda: os.kill(os.getpid(), signal.SIGKILL)),
}

if __name__ == "__main__":
    way, *bare = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with begin(way, bare) as context:
        context.log_message(f"{way} begins")
        WAYS[way](context)
