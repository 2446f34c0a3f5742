"""Jobs that end badly, each run as a process of its own: ``python jobs.py NAME [ARGUMENT...]``.

What a call has returned from is told to the parent by a line on stdout, written with ``write(2)`` after the call.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from dataclasses import dataclass

import synapse_otel
from synapse_otel.loggers import ConsoleLogger, NoOpLogger
from synapse_otel.plugins.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


def told(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def begin(job_id="job-1"):
    return synapse_otel.job("train", plugin="demo", job_id=job_id, logger=NoOpLogger())


@dataclass
class Shared(BaseStepContext):
    epochs: int = 0
    work_seconds: float = 0.0


class Load(BaseStep[Shared]):
    name = "load"
    progress_weight = 1.0

    def execute(self, context):
        context.runtime_ctx.log_message("loaded")
        told("m loaded")
        return StepResult()


class Train(BaseStep[Shared]):
    name = "train"
    progress_weight = 9.0

    def execute(self, context):
        ctx = context.runtime_ctx
        for number in range(1, context.epochs + 1):
            work_until = time.perf_counter() + context.work_seconds
            while time.perf_counter() < work_until:
                pass
            ctx.set_progress(number, context.epochs, "train")
            told(f"p {number}")
            ctx.set_metrics({"loss": 1 / number, "count": number}, "train")
            told(f"s {number}")
            ctx.log_message(f"epoch {number}")
            told(f"m epoch {number}")
            ctx.log("epoch", {"number": number})
            told(f"e {number}")
        return StepResult()


def training(work_seconds="0", epochs="1000000"):
    """A workflow, for ever, or for some epochs of some work each."""
    with begin() as ctx:
        registry = StepRegistry[Shared]()
        registry.register(Load())
        registry.register(Train())
        Orchestrator(registry, Shared(ctx, epochs=int(epochs), work_seconds=float(work_seconds))).execute()


class Wait(BaseStep[Shared]):
    name = "wait"
    progress_weight = 1.0

    def execute(self, context):
        told("in the step")
        sys.stdin.read()
        return StepResult()


def waiting_in_a_step():
    """Run a short step, and one that lasts until the parent closes stdin."""
    with begin() as ctx:
        registry = StepRegistry[Shared]()
        registry.register(Load())
        registry.register(Wait())
        Orchestrator(registry, Shared(ctx)).execute()


def waiting():
    """Record something, say so, and wait for the parent to close stdin."""
    with begin() as ctx:
        ctx.log_message("before")
        ctx.set_progress(1, 4, "wait")
        told("ready")
        sys.stdin.read()
        ctx.log_message("after")


def looking():
    """Tell which threads and sockets the job's process holds."""
    with begin() as ctx:
        ctx.log_message("hello")
        ctx.end_log()
        told(f"threads {len(os.listdir('/proc/self/task'))}")
        sockets = []
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                sockets.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            except OSError:
                continue
        told(f"sockets {sum(path.startswith('socket:') for path in sockets)}")
        children = open(f"/proc/self/task/{os.getpid()}/children").read().split()  # noqa: SIM115
        told(f"children {len(children)}")


def normal(messages="3"):
    with begin() as ctx:
        for number in range(int(messages)):
            ctx.log_message(f"message {number}")
        ctx.set_metrics({"loss": 0.5})
        ctx.set_progress(3, 3, "work")
    told("left")


def failing():
    with begin() as ctx:
        ctx.log_message("message 0")
        raise ValueError("the work is wrong")


def exiting(code="3"):
    with begin() as ctx:
        ctx.log_message("message 0")
        sys.exit(int(code))


def never_left():
    """The interpreter ends without having left the ``with`` block."""
    job = begin()
    ctx = job.__enter__()
    globals()["kept"] = job
    ctx.log_message("message 0")


def leaving_at_once():
    with begin() as ctx:
        ctx.log_message("message 0")
        os._exit(5)


def own_handler():
    def handler(number, _frame):
        told(f"handler {number}")
        sys.exit(7)

    signal.signal(signal.SIGTERM, handler)
    waiting()


def thread_failing():
    with begin() as ctx:

        def work():
            ctx.log_message("message of a thread")
            raise ValueError("of a thread")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    told("left")


def forking():
    """A child of a fork records, and ends without ceremony; the parent goes on."""
    with begin() as ctx:
        ctx.log_message("parent before")
        child = os.fork()
        if child == 0:
            ctx.log_message("child")
            ctx.set_metrics({"loss": 0.25})
            os._exit(0)
        os.waitpid(child, 0)
        ctx.log_message("parent after")


def _work(number):
    logging.getLogger("plugin").warning("pool %d", number)
    return number


def _spawned(number):
    synapse_otel.configure()
    logging.getLogger("plugin").warning("spawned %d", number)


def pooling(method="fork"):
    context = multiprocessing.get_context(method)
    with begin() as ctx:
        ctx.log_message("parent before")
        if method == "fork":
            with context.Pool(2) as pool:
                told(f"sum {sum(pool.map(_work, range(4)))}")
        else:
            processes = [context.Process(target=_spawned, args=(number,)) for number in range(2)]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
                told(f"code {process.exitcode}")


def forking_for_sigterm(handler="none"):
    """Tell what SIGTERM does in children of a job: forked by its main thread, by another, and from a job inside it."""
    before = _own_handler if handler == "own" else signal.SIG_DFL
    signal.signal(signal.SIGTERM, before)

    def fork(name):
        pid = os.fork()
        if pid == 0:
            told(f"{name} {signal.getsignal(signal.SIGTERM) is before}")
            os._exit(0)
        os.waitpid(pid, 0)

    with begin():
        fork("main")
        thread = threading.Thread(target=fork, args=("thread",))
        thread.start()
        thread.join()
        with begin():
            fork("nested")
        told(f"parent {signal.getsignal(signal.SIGTERM) is before}")


def terminating_children(count="50"):
    """Terminate each child as soon as it is there, before its first instruction; tell how many did not die of it."""
    lock = multiprocessing.Lock()
    lock.acquire()
    left = 0
    with begin():
        for _ in range(int(count)):
            pid = os.fork()
            if pid == 0:
                lock.acquire()
                os._exit(0)
            os.kill(pid, signal.SIGTERM)
            give_up = time.monotonic() + 5
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > give_up:
                    left += 1
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    break
                time.sleep(0.001)
            if left:
                break
    told(f"left {left}")


def interrupted_fork():
    """A handler of the host raises while the job forks; SIGTERM is handled afterwards as before."""

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    chance = random.Random(1)
    with begin():
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.000_001, 0.000_1))
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
                time.sleep(0.001)
            except KeyboardInterrupt:
                pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        told(f"blocked {len(signal.pthread_sigmask(signal.SIG_BLOCK, ()))}")


def _own_handler(_number, _frame):
    sys.exit(7)


def storm(seconds="1"):
    """A signal handler logs in the middle of everything, and now and then raises."""
    count = raised = made = depth = 0
    armed = over = False
    returned = []

    class Stop(BaseException):
        pass

    with begin() as ctx:

        def handler(_number, _frame):
            # The next one may come while this one is handled, but not without end, as on a slow machine it would.
            nonlocal count, depth
            if over:
                return
            depth += 1
            try:
                if depth < 8:
                    signal.setitimer(signal.ITIMER_REAL, 0.0005)
                count += 1
                number = count  # taken first
                ctx.log_message(f"signal {number}")
                returned.append(number)
                if armed and number % 7 == 0:
                    raise Stop
            finally:
                depth -= 1
                signal.setitimer(signal.ITIMER_REAL, 0.0005)

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        end = time.monotonic() + float(seconds)

        def work():
            # A function of its own: an exception at a loop's end is not inside of the `try` on every CPython.
            nonlocal made
            while time.monotonic() < end:
                ctx.log_message(f"made {made + 1}")
                made += 1
                ctx.set_progress(made % 1000 + 1, 1000, "storm")

        while time.monotonic() < end:
            try:
                armed = True
                work()
                armed = False
            except Stop:
                armed = False
                raised += 1
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        told(f"made {made}")
        told(f"signals {count}")
        told("returned " + ",".join(map(str, returned)))
        told(f"raised {raised}")


class Slow:
    """A value whose conversions take their time."""

    def __float__(self):
        return float(sum(range(300)))

    def __repr__(self):
        return f"slow {sum(range(300))}"


class SlowView(NoOpLogger):
    """A view whose hooks take their time."""

    def _log_impl(self, event, data, file, step, level=None):
        sum(range(300))


class StoppedError(Exception):
    """An exception of the host's own."""


def terminal():
    """Have standard output be a terminal, which somebody looks at."""
    ours, programs = os.openpty()
    sys.stdout = os.fdopen(programs, "w")
    os.environ["TERM"] = "xterm"
    threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(ours, 65_536), b"")], daemon=True).start()
    return ConsoleLogger()


def alarms(kind, count="300"):
    """A handler of the host raises an exception in the middle of one call after the other."""
    kinds = (TimeoutError, ValueError, StoppedError)
    chance = random.Random(kind)
    raised = caught = 0

    def handler(_number, _frame):
        nonlocal raised
        raised += 1
        raise kinds[raised % 3](raised)

    def call_until_raised(before):
        # A function of its own: an exception at a loop's end is not inside of the `try` on every CPython.
        while raised == before:
            call()

    logger = terminal() if kind == "terminal" else SlowView()
    with synapse_otel.job("train", plugin="demo", job_id="job-1", logger=logger) as ctx:
        record = logging.makeLogRecord({"name": "plugin", "levelno": 30, "msg": "of %r", "args": (Slow(),)})
        calls = {
            "message": lambda: ctx.log_message("m"),
            "error": lambda: ctx.log_message("m", "error"),
            "event": lambda: ctx.log("e", {"value": Slow()}, __file__),
            "progress": lambda: ctx.set_progress(1, 2, "work"),
            "metrics": lambda: ctx.set_metrics({"loss": Slow(), "other": 0.5}, "work"),
            "logging": lambda: logging.getLogger("plugin").handle(record),
            "view that fails": lambda: ctx.set_progress(Slow(), float("inf"), "slow"),
            "terminal": lambda: (ctx.log_message("m"), ctx.set_progress(1, 2, "work")),
        }
        call = calls[kind]
        call()  # Python's import takes a TimeoutError for a file that cannot be looked at
        logging.lastResort = None  # it swallows what is raised in it, with us and without us
        signal.signal(signal.SIGALRM, handler)
        for number in range(int(count)):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 300e-6))
                call_until_raised(number)
            except kinds:
                caught += 1
        call()
    told(f"raised {raised}")
    told(f"caught {caught}")


def two_jobs():
    for number in (1, 2):
        with begin(f"job-{number}") as ctx:
            ctx.set_progress(number, 10, "work")
            ctx.log_message(f"of job {number}")


def filling(record_bytes="20000", records="400"):
    """Write more than a small disk holds."""
    with begin() as ctx:
        ctx.set_progress(1, 2, "fill")
        for number in range(int(records)):
            ctx.log_message(f"{number} " + "x" * int(record_bytes))
        ctx.set_progress(2, 2, "fill")
        ctx.log_message("the last")
    told("left")


def killed_after_a_warning():
    """Say more than a span's events have room for, with one error in the middle, and die."""
    with begin() as ctx:
        for number in range(300):
            ctx.log_message(f"message {number}", "danger" if number == 150 else "info")
        os.kill(os.getpid(), signal.SIGKILL)


def deleting():
    """The journal's folder is deleted while the job runs."""
    import shutil
    from pathlib import Path

    with begin() as ctx:
        ctx.log_message("before")
        told("ready")
        sys.stdin.readline()
        root = Path(os.environ["SYNAPSE_OTEL_JOURNAL_DIR"])
        for folder in [found for found in root.iterdir() if found.is_dir()]:
            while folder.exists():
                shutil.rmtree(folder, ignore_errors=True)  # the shipper may just be writing a cursor there
        for number in range(300):
            ctx.log_message(f"after {number} " + "x" * 30_000)
    told("left")


JOBS = {name: value for name, value in list(globals().items()) if callable(value) and not name.startswith("_")}

if __name__ == "__main__":
    JOBS[sys.argv[1]](*sys.argv[2:])
