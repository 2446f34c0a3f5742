"""The command ``synapse-otel``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import synapse_otel
from synapse_otel.journal.files.locks import FileLock
from synapse_otel.journal.folder import SHIP_LOCK
from synapse_otel.runs import Recording
from tests.runs.conftest import only
from tests.runs.ports import free_port
from tests.runs.runs import command, environment, run, start
from tests.sink import Answer, Request, Sink, attributes

pytestmark = pytest.mark.once


def words(line: str) -> str:
    return line.partition("  ")[2]


# --- show ----------------------------------------------------------------------------------------------


def test_show_shows_the_last_run_or_a_named_one(success, killed, tmp_path):
    for folder in (success, killed):
        shutil.copytree(folder, tmp_path / folder.name)
    assert "✗ killed" in command(tmp_path, "show", "coco").stdout
    by_trace = command(tmp_path, "show", Recording.read(success).job.trace_id[:8])
    assert (by_trace.returncode, by_trace.stderr) == (0, "")
    assert "✓ success" in by_trace.stdout
    last = max((success, killed), key=lambda folder: Recording.read(folder).run.created)
    assert f"{last.name}\n" in command(tmp_path, "show", COLUMNS="200").stdout


def test_show_on_a_terminal_that_knows_no_unicode(success):
    shown = command(success.parent, "show", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert shown.stdout.isascii()


@pytest.mark.parametrize("subcommand", ["show", "sync"])
def test_what_is_not_there_is_said_on_one_line(subcommand, success, tmp_path):
    for root, name, said in (
        (success.parent, "nope", "synapse-otel: there is no run 'nope'; the runs are "),
        (tmp_path, "nope", f"synapse-otel: there is no run in {tmp_path}; SYNAPSE_OTEL_JOURNAL_DIR sets the folder"),
        (tmp_path, "./nope", "synapse-otel: ./nope is not the folder of a run: it has no run.json"),
    ):
        result = command(root, subcommand, name)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.startswith(said)
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("subcommand", ["show", "sync"])
def test_a_wrong_setting_is_said_on_one_line(subcommand, tmp_path):
    result = command(tmp_path, subcommand, SYNAPSE_OTEL_EXIT_TIMEOUT="soon")
    assert result.returncode == 2
    assert result.stderr.startswith("synapse-otel: SYNAPSE_OTEL_EXIT_TIMEOUT=soon: ")
    assert result.stderr.count("\n") == 1


def test_a_wrong_command_is_a_usage_error(tmp_path):
    result = command(tmp_path, "nonsense")
    assert result.returncode == 2
    assert "No such command 'nonsense'" in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_heavy_is_loaded_for_the_version(tmp_path):
    result = command(tmp_path, "--version", PYTHONPROFILEIMPORTTIME="1")
    assert result.stdout.startswith("synapse-otel ")
    for heavy in ("opentelemetry.sdk", "pydantic", "urllib3", "google.protobuf", "rich.console"):
        assert f"| {heavy}\n" not in result.stderr.replace(" " * 2, ""), heavy


# --- sync ----------------------------------------------------------------------------------------------


def test_sync_delivers_everything_once(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        assert run(tmp_path, "success", **settings) == 0
        emitted = Recording.read(only(tmp_path)).account.emitted
        result = command(tmp_path, "sync", **settings)
        assert (result.returncode, result.stderr) == (0, "")
        assert words(result.stdout.strip()) == f"delivered {emitted} · pending 0 · dropped 0"
        arrived = [attributes(record)["log.record.uid"] for record in sink.logs()]
        assert len(arrived) == len(set(arrived)) == 6
        again = command(tmp_path, "sync", **settings)
        assert (again.returncode, again.stdout) == (0, f"nothing is pending for {sink.url}\n")
        assert len(sink.logs()) == 6


def test_sync_tries_every_run_and_tells_why_it_still_waits(tmp_path):
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    for _ in range(2):
        run(tmp_path, "success", **settings)
    result = command(tmp_path, "sync", **settings)
    lines = result.stdout.splitlines()
    assert result.returncode == 1
    assert len(lines) == 3
    for line in lines[:2]:
        assert line.endswith(
            "· connection refused by " + settings["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://")
        )
    assert lines[2].startswith(f"2 runs to {settings['OTEL_EXPORTER_OTLP_ENDPOINT']}: delivered 0 · pending ")


def sync_two_runs(root: Path, refusal: Answer) -> tuple[str, str]:
    """Return what is said of two runs, of which the first one's requests are refused."""
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        for _ in range(2):
            run(root, "success", **settings)
        refused: set[str] = set()

        def answer(request: Request) -> Answer:
            first = request.path not in refused
            refused.add(request.path)
            return refusal if first else Answer()

        sink.answer = answer
        result = command(root, "sync", **settings)
        assert result.returncode == 1
        first, second, _total = result.stdout.splitlines()
    return first, second


def test_an_earlier_failure_holds_up_no_later_run(tmp_path):
    first, second = sync_two_runs(tmp_path, Answer(503))
    assert first.endswith("answered 503")
    assert second.endswith("· pending 0 · dropped 0")


def test_a_server_that_asks_to_be_left_alone_is_left_alone_and_quoted(tmp_path):
    first, second = sync_two_runs(tmp_path, Answer(503, headers={"Retry-After": "600"}))
    assert first.endswith("answered 503")
    assert "delivered 0 · pending " in second
    assert second.endswith("wait: answered 503; `synapse-otel doctor endpoint` tells more")


def test_sync_of_one_run_leaves_the_others(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        run(tmp_path, "success", **settings)
        run(tmp_path, "failure", **settings)
        ((one, recording), (other, _)) = (
            (folder, Recording.read(folder)) for folder in sorted(tmp_path.glob("*-train-yolo-*"))
        )
        assert command(tmp_path, "sync", recording.job.trace_id[:10], **settings).returncode == 0
        assert Recording.read(one).account.pending == 0
        assert Recording.read(other).account.delivered == 0
        assert command(tmp_path, "sync", one.name, **settings).stdout == f"{one.name}: nothing is pending\n"


def test_a_run_for_another_destination_is_sent_here_only_when_it_is_named(tmp_path):
    run(tmp_path, "success", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        result = command(tmp_path, "sync", **settings)
        assert result.returncode == 0
        assert result.stdout.splitlines() == [
            f"1 run recorded for other destinations; `synapse-otel sync --all` sends it to {sink.url}",
            f"nothing is pending for {sink.url}",
        ]
        assert not sink.requests
        named = command(tmp_path, "sync", only(tmp_path).name, **settings)
        assert named.returncode == 0
        assert named.stdout.strip().endswith("dropped 0 · taken over from another destination")
        assert len(sink.logs()) == 6


def test_sync_closes_what_a_killed_process_left_open(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        with start(tmp_path, "stay", **settings) as process:
            process.communicate("die\n", timeout=60)
        assert command(tmp_path, "sync", **settings).returncode == 0
        assert {span.name: attributes(span)["error.type"] for span in sink.spans()} == {
            "export coco": "killed",
            "write": "killed",
        }


def test_sync_of_a_live_run_sends_what_there_is(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        with start(tmp_path, "stay", **settings) as process:
            assert process.stdout.readline() == "ready\n"
            result = command(tmp_path, "sync", **settings)
            assert (result.returncode, words(result.stdout.strip())[-13:]) == (0, "still running")
            assert "three written" in [record.body.string_value for record in sink.logs()]
            process.communicate("go on\n", timeout=60)
        assert command(tmp_path, "sync", **settings).returncode == 0
        bodies = [record.body.string_value for record in sink.logs()]
        assert bodies.count("three written") == 1


def job_of_id(root: Path, name: str, job_id: str, *arguments: str) -> None:
    job = f"synapse_otel.job('train', plugin={name!r}, job_id={job_id!r})"
    program = f"import synapse_otel\nwith {job} as ctx: ctx.log_message('m')"
    line = [sys.executable, "-c", program]
    if arguments:
        line = [sys.executable, "-m", "synapse_otel", *arguments, "--", *line]
    subprocess.run(line, env=environment(root), check=True, capture_output=True, timeout=60)


def test_a_run_that_was_resumed_is_found_by_the_id_of_its_job(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        for name, job_id in (("first", "7"), ("second", "7"), ("other", "78")):
            job_of_id(tmp_path, name, job_id)
        table = command(tmp_path, "jobs", "7", **settings).stdout
        assert [name in table for name in ("first", "second", "other")] == [True, True, False]
        shown = command(tmp_path, "show", "7", **settings)
        assert shown.returncode == 0
        assert re.fullmatch(r"synapse-otel: '7' matches 2 runs; this is the newest, \S+-second-\S+\n", shown.stderr)
        assert command(tmp_path, "sync", "7", **settings).returncode == 0
        assert {folder.name: Recording.read(folder).account.pending > 0 for folder in tmp_path.glob("2*")} == {
            folder.name: "-other-" in folder.name for folder in tmp_path.glob("2*")
        }


def test_a_run_is_found_by_the_name_that_run_gave_it(tmp_path):
    for name in ("nightly", "nightly-2", "weekly"):
        job_of_id(tmp_path, "yolo", name, "run", "--no-ship", "--name", name)
    exact = json.loads(command(tmp_path, "jobs", "nightly", "--json").stdout)
    assert exact["jobs"][0]["job_id"] == "nightly"
    both = json.loads(command(tmp_path, "jobs", "night", "--json").stdout)
    assert len(both) == 2
    assert command(tmp_path, "jobs", "monthly").returncode == 2
    assert command(tmp_path, "show", "weekly").stderr == ""


def test_jobs_of_a_text_that_matches_several_is_their_table(tmp_path):
    run(tmp_path, "success")
    run(tmp_path, "failure")
    run(tmp_path, "success")
    lines = command(tmp_path, "jobs", "train").stdout.splitlines()
    whole = command(tmp_path, "jobs").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["done", "success"], ["done", "failure"], ["done", "success"]]
    assert [line.split() for line in whole] == [
        lines[0].split(),
        lines[3].split(),
    ]  # of one job, of which the last attempt stands for all
    one = min(tmp_path.glob("2*"))
    assert command(tmp_path, "jobs", one.name).stdout.splitlines()[0].startswith("run       ")


def test_the_commands_run_without_their_script(tmp_path):
    line = [sys.executable, "-m", "synapse_otel", "--version"]
    found = subprocess.run(line, env=environment(tmp_path), capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == f"synapse-otel {synapse_otel.__version__}\n"


def test_a_run_and_all_runs_are_not_asked_for_at_once(tmp_path):
    found = command(tmp_path, "sync", "x", "--all")
    assert (found.returncode, found.stderr) == (2, "synapse-otel: either RUN or --all, not both\n")


def test_sync_leaves_a_journal_to_the_shipper_that_has_it_in_hand(tmp_path):
    with Sink() as sink:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        run(tmp_path, "success", **settings)
        folder = only(tmp_path)
        lock = FileLock(folder / SHIP_LOCK)
        assert lock.acquire()
        try:
            result = command(tmp_path, "sync", "--timeout", "0.2", **settings)
        finally:
            lock.release()
        assert result.returncode == 1
        assert "a running shipper has claimed it" in result.stdout
        assert not sink.requests


def test_a_journal_that_cannot_be_read_is_said_on_one_line(success, tmp_path):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    (folder / "00000001.segment").unlink()
    (folder / "00000001.segment").mkdir()
    for subcommand in ("show", "sync"):
        result = command(tmp_path, subcommand)
        assert result.returncode == 2
        assert "Is a directory" in result.stderr
        assert result.stderr.count("\n") == 1
