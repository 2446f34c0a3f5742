"""What a signal's handler of the host raises goes through our code; what other code raises ends in it."""

from __future__ import annotations

import signal
from functools import partial

import pytest

from synapse_otel._guard import contain, guarded, let_through, raise_foreign


class TimeIsUpError(Exception):
    """What the host's handler raises."""


def stop(_number, _frame):
    raise TimeIsUpError


def stop_with(*_arguments):
    raise TimeIsUpError


def stop_by_name(*, frame, number):
    raise TimeIsUpError


class Host:
    def stop(self, _number, _frame):
        raise TimeIsUpError

    def __call__(self, *_arguments):
        self.stop(*_arguments)


def stop_after(before, number, frame):
    before(number, frame)


HANDLERS = {
    "function": stop,
    "lambda": lambda number, frame: stop_by_name(frame=frame, number=number),
    "method": Host().stop,
    "object": Host(),
    "partial": partial(partial(stop_after), stop),
    "any arguments": stop_with,
}


@pytest.fixture
def install():
    """Install a handler for SIGUSR1, and then the one before."""
    before = signal.getsignal(signal.SIGUSR1)
    yield partial(signal.signal, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def interrupted(*_arguments):
    signal.raise_signal(signal.SIGUSR1)
    return "done"


class Interrupted:
    """A value that a signal comes into the conversion of."""

    __repr__ = __float__ = interrupted


def fails():
    msg = "of the code's own"
    raise TimeIsUpError(msg)


@pytest.mark.parametrize("form", HANDLERS)
def test_what_a_handler_raises_goes_through(install, form):
    install(HANDLERS[form])
    with pytest.raises(TimeIsUpError):
        guarded(interrupted, otherwise=str)
    with pytest.raises(TimeIsUpError):
        guarded(repr, Interrupted(), otherwise=str)  # an operation in C comes between


@pytest.mark.parametrize("handler", [stop, signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler])
def test_what_other_code_raises_ends_here_whatever_handlers_there_are(install, handler):
    install(handler)
    assert guarded(fails, otherwise=str) == "of the code's own"
    assert guarded(lambda: signal.Signals(10_000), otherwise=type) is ValueError  # by way of Enum's own __call__
    assert guarded(int, "seven", otherwise=type) is ValueError


def test_a_handler_that_raises_nothing_interrupts_nothing(install):
    install(lambda *_arguments: None)
    assert guarded(interrupted, otherwise=str) == "done"


def test_a_time_limit_that_other_code_sets_itself_is_its_own_failure(install):
    """It has put its handler away again: what it raises is no business of the host's."""

    def limited():
        before = install(stop)
        try:
            interrupted()
        finally:
            install(before)

    install(signal.SIG_IGN)
    assert guarded(limited, otherwise=type) is TimeIsUpError


def test_a_namesake_of_the_handler_is_another_function(install):
    def namesake():
        def stop():
            raise TimeIsUpError

        stop()

    install(stop)
    assert guarded(namesake, otherwise=type) is TimeIsUpError


@pytest.mark.parametrize(("file", "name"), [("elsewhere.py", "stop"), (__file__, "other")])
def test_the_same_place_in_another_function_is_not_the_handler(install, file, name):
    above = "\n" * (stop.__code__.co_firstlineno - 1)
    made = {"TimeIsUpError": TimeIsUpError}
    exec(compile(f"{above}def {name}():\n    raise TimeIsUpError", file, "exec"), made)
    install(stop)
    assert guarded(made[name], otherwise=type) is TimeIsUpError


def test_what_is_held_back_is_not_a_handlers(install):
    install(stop)
    try:
        interrupted()
    except TimeIsUpError as error:
        with pytest.raises(TimeIsUpError):
            contain(error)
    contain(ValueError("never raised"))
    let_through(ValueError("never raised"))


def test_an_error_of_the_system_has_a_number(install):
    def missing(*_arguments):
        raise FileNotFoundError(2, "No such file or directory")

    raise_foreign(FileNotFoundError(2, "No such file or directory"))
    with pytest.raises(TimeoutError):
        raise_foreign(TimeoutError("time is up"))
    install(missing)
    try:
        interrupted()
    except FileNotFoundError as error:
        with pytest.raises(FileNotFoundError):
            raise_foreign(error)


def test_a_call_that_a_signal_comes_into_is_not_as_if_it_had_worked(install, synapse_job):
    """A value that is converted for a record: the host's exception is raised, and the record is not made."""
    install(stop)
    with pytest.raises(TimeIsUpError):
        synapse_job.ctx.log("checkpoint", {"value": Interrupted()})
    with pytest.raises(TimeIsUpError):
        synapse_job.ctx.set_metrics({"loss": Interrupted()}, "train")
    with pytest.raises(TimeIsUpError):
        synapse_job.ctx.set_progress(Interrupted(), 2)
