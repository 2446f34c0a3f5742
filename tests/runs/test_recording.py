"""What is read back from a journal, whatever became of the process that wrote it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from synapse_otel.journal.files.locks import FileLock, is_locked
from synapse_otel.journal.folder import segment_path
from synapse_otel.runs import (
    LogKind,
    Recording,
    Role,
    RunNotFoundError,
    RunState,
    emitted_records,
    find_run,
    find_runs,
    is_one_job,
    known_runs,
    run_state,
    same_run,
)
from tests.runs.conftest import only
from tests.runs.runs import JOB_ID, TOKEN, command, start
from tests.sink import Sink

pytestmark = pytest.mark.once


def tree(recording: Recording) -> list[tuple[int, str, str, str | None]]:
    return [(depth, span.name, span.role.value, span.result) for depth, span in recording.walk()]


def test_a_run_is_read_whole(success):
    recording = Recording.read(success)
    assert recording.state is RunState.DONE
    assert tree(recording) == [
        (0, "train yolo", "job", "success"),
        (1, "load", "step", "success"),
        (1, "cached", "step", "skip"),
        (1, "train", "step", "success"),
        (2, "query", "other", None),
        (1, "export", "step", "success"),
    ]
    assert [span.skipped for span in recording.steps] == [False, True, False, False]
    assert {span.name for span in recording.markers} == {
        f"{n} (started)" for n in ("train yolo", "load", "train", "export")
    }
    assert not any(span.failed or span.is_open for _depth, span in recording.walk())
    assert recording.resource["service.name"] == "yolo"
    assert recording.job.attributes["synapse.model_path"] == "model.bin"
    assert recording.run.name == "train-yolo-job-4711"


def test_samples_stand_by_category_and_name_with_their_times(success):
    curves = Recording.read(success).curves
    loss = curves["train", "loss"]
    assert loss.values == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert loss.times == sorted(loss.times)
    assert set(curves) == {("train", "loss"), ("train", "accuracy")}


def test_logs_stand_in_order_each_with_its_kind(success):
    recording = Recording.read(success)
    assert [(entry.kind, entry.event_name, entry.category) for entry in recording.logs] == [
        (LogKind.LIFE, "synapse.job.started", "train"),
        (LogKind.MESSAGE, "synapse.message", "train"),
        (LogKind.EVENT, "checkpoint", "train"),
        (LogKind.DEVELOPER, "synapse.dev_event", "train"),
        (LogKind.LOGGING, "", "train"),
        (LogKind.LIFE, "synapse.job.finished", "train"),
    ]
    message, event, developer, logged = recording.logs[1:5]
    assert (message.body, message.context) == ("slow disk", "warning")
    assert event.data["epoch"] == 5
    assert event.file.endswith("runs.py")
    assert developer.data == {"mean": 0.5}
    assert (logged.scope, logged.body) == ("plugin", "7 images")
    train = recording.job.find("train")
    assert {entry.span_id for entry in recording.logs[1:5]} == {train.span_id}
    assert len({entry.uid for entry in recording.logs}) == len(recording.logs)


def test_texts_hold_no_credentials(success):
    raw = segment_path(success, 1).read_bytes()
    assert TOKEN.encode() in raw
    assert TOKEN not in repr(Recording.read(success))


def test_the_last_progress_comes_from_the_state_block(success):
    recording = Recording.read(success)
    assert [(one.category, one.progress.current, one.progress.limit) for one in recording.progress] == [
        ("", 100, 100),
        ("load", 4, 4),
        ("train", 4, 4),
        ("export", 4, 4),
    ]
    assert recording.progress_of("train").ratio == 1
    assert recording.progress_of("nothing") is None


def test_the_account_counts_every_record(success):
    recording = Recording.read(success)
    samples = sum(len(series) for series in recording.series)
    spans = len(list(recording.walk())) + len(recording.markers)
    assert recording.account.emitted == len(recording.logs) + samples + spans == emitted_records(success)
    assert recording.account.pending == recording.account.emitted


def test_a_failure_has_its_rollbacks_linked_to_it(failure):
    recording = Recording.read(failure)
    failed = recording.job.find("export")
    assert failed.failed
    assert failed.error == "KeyError: 'no room'"
    rollbacks = [span for _depth, span in recording.walk() if span.role is Role.ROLLBACK]
    assert [span.name for span in rollbacks] == ["rollback export", "rollback train", "rollback load"]
    assert {link.span_id for span in rollbacks for link in span.links} == {failed.span_id}
    assert recording.exceptions[0].attributes["exception.type"] == "KeyError"
    assert recording.job.result == "failure"


def test_a_killed_run_keeps_what_it_had_open(killed):
    recording = Recording.read(killed)
    assert recording.state is RunState.CRASHED
    assert [(span.name, span.is_open, span.seconds) for _depth, span in recording.walk()] == [
        ("export coco", True, None),
        ("write", True, None),
    ]
    assert recording.progress_of("write").current == 3
    assert recording.logs[-1].body == "three written"
    assert recording.end_of(recording.job) == recording.last_time >= recording.logs[-1].time


def test_a_live_run_is_read_while_it_goes_on(tmp_path):
    with start(tmp_path, "stay") as process:
        assert process.stdout.readline() == "ready\n"
        recording = Recording.read(only(tmp_path))
        assert recording.state is RunState.LIVE
        assert recording.job.is_open
        assert recording.end_of(recording.job) == recording.read_at
        assert recording.damage.bytes == 0
        process.communicate("go on\n", timeout=60)
    recording = Recording.read(only(tmp_path))
    assert recording.state is RunState.DONE
    assert not recording.job.is_open


def test_the_state_of_a_run_of_this_process_can_be_asked(tmp_path):
    lock = FileLock(tmp_path / "alive.lock")
    assert lock.acquire()
    try:
        assert run_state(tmp_path) is RunState.LIVE
        process = os.fork()
        if not process:
            os._exit(is_locked(tmp_path / "alive.lock"))
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 1  # it is still held
    finally:
        lock.release()
    assert run_state(tmp_path) is RunState.CRASHED


def test_damage_is_counted_and_the_rest_is_read(success, tmp_path):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    path = segment_path(folder, 1)
    data = bytearray(path.read_bytes())
    place = data.index(b"slow disk")
    data[place] ^= 0xFF
    path.write_bytes(data)
    recording = Recording.read(folder)
    assert recording.damage.places == 1
    assert recording.missing == 1
    assert len(recording.logs) == 5
    assert recording.account.emitted == emitted_records(success)


def test_what_was_cut_off_is_a_crash(success, tmp_path):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    path = segment_path(folder, 1)
    path.write_bytes(path.read_bytes()[:-40])
    assert Recording.read(folder).state is RunState.CRASHED


@pytest.mark.parametrize("size", [0, 1, 15, 17])
def test_a_journal_with_next_to_nothing_in_it_can_be_read(success, tmp_path, size):
    folder = tmp_path / success.name
    shutil.copytree(success, folder)
    path = segment_path(folder, 1)
    path.write_bytes(path.read_bytes()[:size])
    recording = Recording.read(folder)
    assert (recording.spans, recording.logs) == ([], [])
    assert recording.progress_of("train").ratio == 1


# --- finding -------------------------------------------------------------------------------------------


def test_a_run_is_found_by_all_its_names(success, failure, tmp_path):
    root = tmp_path
    for folder in (success, failure):
        shutil.copytree(folder, root / folder.name)
    trace = Recording.read(failure).job.trace_id
    assert find_run(str(success), [root]) == success
    assert find_run(success.name, [root]) == root / success.name
    assert find_run(success.name[-6:], [root]) == root / success.name
    assert find_run(trace[:9], [root]) == root / failure.name
    assert find_run(None, [root]) == [known.folder for known in known_runs([root])][-1]
    newest = [known.folder for known in known_runs([root])][-1]
    for text in (JOB_ID, "yolo"):
        notes = []
        assert find_run(text, [root], notes.append) == newest
        assert notes == [f"{text!r} matches 2 runs; this is the newest, {newest.name}"]
        assert set(find_runs(text, [root])) == {root / success.name, root / failure.name}
    assert is_one_job(find_runs(JOB_ID, [root]))
    with pytest.raises(RunNotFoundError, match="there is no run 'nope'; the runs are "):
        find_run("nope", [root])
    with pytest.raises(RunNotFoundError, match=r"no run in .*; SYNAPSE_OTEL_JOURNAL_DIR sets the folder"):
        find_run(None, [root / "empty"])
    with pytest.raises(RunNotFoundError, match="is not the folder of a run"):
        find_run(str(root), [root])


def test_a_journal_that_goes_on_with_another_is_no_run_of_its_own(success, tmp_path):
    for name, change in (("1", {}), ("2", {"journal": "b" * 32, "parent": "a" * 32})):
        shutil.copytree(success, tmp_path / name)
        _rewrite(tmp_path / name, {"journal": "a" * 32, **change})
    assert [known.folder.name for known in known_runs([tmp_path])] == ["1"]
    assert same_run(tmp_path / "1") == [tmp_path / "1", tmp_path / "2"]
    recording = Recording.read(*same_run(tmp_path / "1"))
    assert len(recording.logs) == 12
    assert len(recording.steps) == 4


def _rewrite(folder: Path, change: dict[str, str]) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))


def test_what_was_delivered_and_deleted_still_says_how_it_ended(tmp_path):
    keeps_nothing = {"SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET": "0"}
    with Sink() as sink, start(tmp_path, "stay", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, **keeps_nothing) as process:
        process.communicate("die\n", timeout=60)
        folder = only(tmp_path)
        assert command(tmp_path, "sync", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url).returncode == 0
    assert not segment_path(folder, 1).exists()
    assert run_state(folder) is RunState.CRASHED
    recording = Recording.read(folder)
    assert recording.state is RunState.CRASHED
    assert recording.account.pending == 0
    assert recording.account.delivered == recording.account.emitted > 0
    assert recording.progress_of("write").current == 3
