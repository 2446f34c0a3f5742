"""The end of a job, in every way there is: what arrives, the exit code, how long it takes, and what is said."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from synapse_otel.journal.cursor import read_cursor
from synapse_otel.semconv.signal import Signal
from tests.eventually import eventually
from tests.sink import HANG, attributes, body


def messages(sink):
    return [body(record) for record in sink.logs()]


def job_span(sink):
    return next((span for span in sink.spans() if span.name == "train demo"), None)


def result(sink):
    return attributes(sink.wait(lambda: job_span(sink)))["synapse.job.result"]


def all_complete(place):
    return bool(place.folders()) and all(
        read_cursor(folder, signal).complete for folder in place.folders() for signal in Signal
    )


def test_a_normal_end_is_delivered_when_it_says_so(sink, place):
    ended = place.run("normal")

    assert ended.code == 0
    assert {"message 0", "message 1", "message 2"} <= set(messages(sink)), "before the process ended"
    assert result(sink) == "success"
    assert "pending 0" in ended.said[-1]
    assert "dropped 0" in ended.said[-1]
    assert sink.last("synapse.job.active") == 0
    assert sink.last("synapse.job.progress.current") == 3
    count = sum(read_cursor(folder, signal).delivered for folder in place.folders() for signal in Signal)
    assert f"delivered {count:,}" in ended.said[-1]


@pytest.mark.once
def test_the_second_job_finds_the_shipper_and_ends_when_all_is_delivered(sink, place):
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "60"
    place.run("normal")
    again = place.run("normal")
    print(f"a job with a running shipper: {again.seconds:.2f} s in all")
    assert again.code == 0
    assert len(place.shippers()) == 1
    assert again.seconds < 30, "the budget is not waited for"
    assert "pending 0" in again.said[-1]


@pytest.mark.parametrize(
    ("name", "arguments", "code", "said", "what"),
    [
        ("failing", (), 1, "failure", "message 0"),
        ("exiting", ("3",), 3, "failure", "message 0"),
        ("exiting", ("0",), 0, "success", "message 0"),
        ("never_left", (), 0, "error", "message 0"),
        ("leaving_at_once", (), 5, "error", "message 0"),
        ("thread_failing", (), 0, "success", "message of a thread"),
    ],
)
def test_an_exit_keeps_its_code_and_is_delivered(  # noqa: PLR0917
    sink, place, name, arguments, code, said, what
):
    ended = place.run(name, *arguments)

    assert ended.code == code
    assert result(sink) == said
    assert sink.wait(lambda: what in messages(sink)), "the logs come on a way of their own, the process did not wait"
    if name in {"failing", "thread_failing"}:
        assert "ValueError: " in ended.err


def test_sigterm_ends_the_job_in_good_order_and_the_process_by_the_signal(sink, place):
    process = place.start("waiting")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)

    assert process.returncode == -signal.SIGTERM
    assert result(sink) == "error"
    assert attributes(job_span(sink))["error.type"] == "SIGTERM"
    assert "before" in messages(sink)
    assert "pending 0" in err
    assert sink.last("synapse.job.progress.current", synapse_category="wait") == 1


def test_a_sigterm_handler_of_the_host_is_called_and_decides(sink, place):
    process = place.start("own_handler")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)

    assert process.returncode == 7
    assert f"handler {signal.SIGTERM.value}" in out
    assert result(sink) == "failure"


def test_sigint_is_a_keyboard_interrupt_as_ever(sink, place):
    process = place.start("waiting")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)

    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert result(sink) == "cancellation"
    assert "before" in messages(sink)


def test_a_fork_childs_records_arrive_and_none_are_doubled(sink, place):
    ended = place.run("forking")
    assert ended.code == 0
    eventually(lambda: len(place.folders()) == 2 and all_complete(place))
    found = messages(sink)
    assert [found.count(one) for one in ("parent before", "child", "parent after")] == [1, 1, 1]
    assert [span.name for span in sink.spans()] == ["train demo"]
    assert result(sink) == "success"
    losses = sink.points("synapse.job.metric")
    assert [point.value for point in losses] == [0.25]
    instances = {point.resource["service.instance.id"] for point in sink.points()}
    assert len(instances) == 2, "two processes must not write the same series"
    child = next(record for record in sink.logs() if body(record) == "child")
    assert child.trace_id == job_span(sink).trace_id


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_multiprocessing_record(sink, place, method):
    ended = place.run("pooling", method)
    assert ended.code == 0
    wanted = {"pool 0", "pool 1", "pool 2", "pool 3"} if method == "fork" else {"spawned 0", "spawned 1"}
    sink.wait(lambda: wanted <= set(messages(sink)))
    eventually(lambda: all_complete(place))
    assert all(messages(sink).count(one) == 1 for one in wanted)
    assert result(sink) == "success"


@pytest.mark.parametrize("handler", ["none", "own"])
def test_a_forked_child_is_terminated_as_without_us(sink, place, handler):
    """A pool's worker that is terminated just before it waits for a lock would never run a handler of ours."""
    ended = place.run("forking_for_sigterm", handler)
    assert ended.code == 0
    assert ended.out.splitlines() == ["main True", "thread True", "nested True", "parent False"]


def test_a_child_that_is_terminated_as_soon_as_it_is_forked_dies(sink, place):
    ended = place.run("terminating_children")
    assert ended.code == 0
    assert ended.told("left") == 0


def test_a_handler_that_raises_while_a_job_forks_leaves_no_signal_blocked(sink, place):
    ended = place.run("interrupted_fork")
    assert ended.code == 0, ended.err
    assert ended.told("blocked") == 0


@pytest.mark.once
def test_without_a_collector_the_end_is_quick_and_says_what_waits(nowhere):
    ended = nowhere.run("normal")
    print(f"collector absent: {ended.seconds:.2f} s in all, first job")
    assert ended.code == 0
    line = ended.said[-1]
    assert "delivered 0" in line
    assert "connection refused" in line
    assert "synapse-otel sync" in line

    nowhere.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "60"
    again = nowhere.run("normal")
    print(f"collector absent: {again.seconds:.2f} s in all, shipper running")
    assert "connection refused" in again.said[-1]
    assert again.seconds < 30, "a refusal is known, so the budget is not waited for"


@pytest.mark.once
def test_a_collector_that_never_answers_costs_the_exit_budget_at_most(sink, place):
    sink.answer = lambda _request: HANG
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "1"
    place.start_shipper()
    begin = place.run("normal")
    print(f"collector silent, budget 1 s: {begin.seconds:.2f} s in all")
    assert 1 <= begin.seconds < 9, "the budget, and not the ten seconds of a request"
    assert "delivered 0" in begin.said[-1]


@pytest.mark.once
def test_what_waits_at_the_end_is_delivered_in_the_background(nowhere):
    from tests.sink import Sink

    ended = nowhere.run("normal")
    assert "delivered 0" in ended.said[-1]
    with Sink(port=int(nowhere.endpoint.rpartition(":")[2])) as sink:
        sink.wait(lambda: {"message 0", "message 1", "message 2"} <= set(messages(sink)), within=15)
        assert result(sink) == "success"
        eventually(lambda: all_complete(nowhere))


def test_the_jobs_process_holds_no_thread_socket_or_child_of_ours(sink, place):
    ended = place.run("looking")
    assert (ended.told("threads"), ended.told("sockets"), ended.told("children")) == (1, 0, 0)


def test_the_shipper_as_a_thread_delivers_and_starts_no_process(sink, place):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "thread"
    ended = place.run("looking")
    assert ended.code == 0
    assert ended.told("threads") > 1
    assert place.shippers() == []
    assert "pending 0" in ended.said[-1]
    assert {"hello"} <= set(messages(sink))
    assert result(sink) == "success"
    assert all_complete(place)


def test_the_shipper_as_a_thread_delivers_several_jobs_of_one_process(sink, place):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "thread"
    ended = place.run("two_jobs")
    assert ended.code == 0
    assert {"of job 1", "of job 2"} <= set(messages(sink))
    spans = sink.spans()
    assert [attributes(span)["synapse.job.result"] for span in spans] == ["success", "success"]
    assert sink.last("synapse.job.progress.current", synapse_job_id="job-1") == 1
    assert sink.last("synapse.job.progress.current", synapse_job_id="job-2") == 2


@pytest.mark.once
def test_two_jobs_one_after_the_other_keep_their_last_progress_while_nobody_ships(sink, place):
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "60"
    ended = place.run("two_jobs")
    assert ended.code == 0
    assert ended.seconds < 30, "nobody is waited for where nobody ships"
    assert len(sink.requests) == 0
    assert "pending" in ended.said[-1]
    place.start_shipper()
    eventually(lambda: all_complete(place))
    assert sink.last("synapse.job.progress.current", synapse_job_id="job-1") == 1
    assert sink.last("synapse.job.progress.current", synapse_job_id="job-2") == 2


# --- the shipper's process ----------------------------------------------------------------------------


@pytest.mark.once
def test_the_shipper_leaves_when_there_is_nothing_to_do(sink, place):
    pid = place.start_shipper(idle_seconds=2)
    assert place.run("normal").code == 0
    eventually(lambda: not place.is_shipping())
    eventually(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))


def _is_zombie(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")


@pytest.mark.once
def test_of_two_shippers_started_at_once_one_remains(sink, place):
    place.root.mkdir(mode=0o700)
    from synapse_otel.shipper import launch as start

    configuration = place.configuration()
    for _ in range(4):
        # What the lock says is not looked at: as if all had looked before the first one took it.
        start_anyway(start, configuration)
    process = place.start("waiting")
    assert process.stdout.readline() == "ready\n"
    eventually(lambda: len(_programs(place)) == 1)
    process.communicate("")
    assert process.returncode == 0
    assert len(place.shippers()) == 1


def start_anyway(start, configuration):
    import msgspec

    command = [start.sys.executable, "-c", start._PROGRAM, start._PACKAGES]
    subprocess.Popen(
        ["/bin/sh", "-c", '"$@" &', "sh", *command],
        env={**os.environ, start.ORDERS_VARIABLE: msgspec.json.encode(configuration).decode()},
        start_new_session=True,
    ).wait()


def _programs(place):
    """Return the shippers of this root, whether they hold its lock or not."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            configuration = (process / "environ").read_bytes()
        except OSError:
            continue
        if f'"{place.root}"'.encode() in configuration and b"SHIPPER_ORDERS" in configuration:
            found.append(int(process.name))
    return found


def test_signals_of_the_terminal_do_not_reach_the_shipper(sink, place):
    process = place.start("waiting", start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    pid = eventually(place.shipper)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert place.shipper() == pid
    assert os.getsid(pid) != process.pid


@pytest.mark.once
def test_sigterm_has_the_shipper_leave_and_the_next_job_starts_another(sink, place):
    pid = place.start_shipper()
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not place.is_shipping())
    assert place.run("normal").code == 0
    assert {"message 0", "message 1", "message 2"} <= set(messages(sink))
