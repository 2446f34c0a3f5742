"""Files of OTLP in JSON: opened, they are the run that they were made of; what is no such file is said."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synapse_otel.export.otlp_json import write_otlp_file
from synapse_otel.journal.folder import run_folders
from synapse_otel.runs import Overview, Recording, Role, RunState, Span, run_groups
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.otlp_file.reader import NotOtlpError, read_otlp_file
from tests.runs.runs import command, environment
from tests.ui.conftest import _SERVE, record

pytestmark = pytest.mark.once


def exported(folders: list[Path], target: Path) -> Path:
    write_otlp_file(folders, target)
    return target


def only(root: Path) -> list[Path]:
    (group,) = run_groups([root])
    return [known.folder for known in group]


def told(span: Span) -> tuple[object, ...]:
    links = [link.span_id for link in span.links]
    return span.name, span.role, span.parent_id, span.start, span.end, span.attributes, span.failed, links


@pytest.mark.parametrize("number", range(4))
def test_a_run_is_read_back_as_it_was(shelf_root, tmp_path, number):
    folder = list(run_folders(shelf_root))[number]
    before, seen = Recording.read(folder), Overview.read([folder])
    with read_otlp_file(exported([folder], tmp_path / "run.otlp.json")) as root:
        folders = only(root)
        after, overview = Recording.read(*folders), Overview.read(folders)
        assert FollowedRun(folders).refresh()
    killed = seen.state is RunState.CRASHED
    assert overview.state is seen.state
    assert [(job.id, job.action, job.plugin, job.version, job.result) for job in overview.jobs] == [
        (job.id, job.action, job.plugin, job.version, job.result) for job in seen.jobs
    ]
    entries = after.logs[: len(before.logs)]
    assert [(log.time, log.severity, log.kind, log.event_name, log.body, log.attributes) for log in entries] == [
        (log.time, log.severity, log.kind, log.event_name, log.body, log.attributes) for log in before.logs
    ]
    assert len(after.logs) - len(before.logs) == killed  # who delivers it says of a killed job that it has ended
    assert {key: one.values for key, one in after.curves.items()} == {
        key: one.values for key, one in before.curves.items()
    }
    for key, one in before.curves.items():  # Prometheus has milliseconds: what comes sooner is sent as a little later
        assert after.curves[key].times == pytest.approx(one.times, abs=len(one) * 1_000_000)
    spans = [[span for _depth, span in one.walk() if span.role is not Role.MARKER] for one in (before, after)]
    if killed:
        assert [(span.name, span.end) for span in spans[1]] == [(span.name, span.end) for span in spans[0]]
    else:
        assert [told(span) for span in spans[1]] == [told(span) for span in spans[0]]
    assert [(one.category, one.progress.current, one.progress.limit) for one in overview.progress] == [
        (one.category, one.progress.current, one.progress.limit) for one in seen.progress
    ]
    assert after.resource == before.resource


def test_rate_and_time_left_are_what_they_were(tmp_path, steered):
    from tests.ui.conftest import tell

    tell(steered, "progress 10")
    tell(steered, "progress 40")
    (folder,) = run_folders(steered.root)
    before = Overview.read([folder]).progress[0].progress
    with read_otlp_file(exported([folder], tmp_path / "run.otlp.json")) as root:
        folders = only(root)
        overview = Overview.read(folders)
        spans = [span for _depth, span in Recording.read(*folders).walk()]
    after = overview.progress[0].progress
    assert after.eta_seconds == pytest.approx(before.eta_seconds, rel=0.01)
    assert [(span.name, span.is_open) for span in spans] == [("train steered", True), ("train", True)]


def test_the_page_and_the_tables_of_a_file_are_those_of_its_run(served, shelf_root, tmp_path):
    folder = next(folder for folder in run_folders(shelf_root) if Recording.read(folder).exceptions)
    file = exported([folder], tmp_path / "run.otlp.json")
    assert "&run=" in served(tmp_path / "empty", str(file), TMPDIR=str(tmp_path))
    for kind in ("csv", "html"):
        ended = command(tmp_path / "empty", "export", str(file), "--format", kind, "-o", str(tmp_path / kind))
        assert ended.returncode == 0, ended.stderr
    assert "no room" in (tmp_path / "html").read_text()
    assert "slow disk" in (tmp_path / "csv" / "messages.csv").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_of_a_file_is_left_behind(shelf_root, tmp_path, number):
    file = exported([next(run_folders(shelf_root))], tmp_path / "run.otlp.json")
    place = tmp_path / "temporary"
    place.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, "view", "--no-browser", "--port", "0", str(file)],
        env=environment(tmp_path / "empty", TMPDIR=str(place)),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(list(place.iterdir())) == 1
        time.sleep(0.5)  # it serves by now, or is about to: either way it must end in order
        process.send_signal(number)
        process.wait(timeout=60)
    assert list(place.iterdir()) == []


def test_a_file_of_several_runs_has_them_all_and_one_is_exported(shelf_root, tmp_path):
    folders = list(run_folders(shelf_root))
    file = tmp_path / "all.otlp.json"
    file.write_text("".join(exported([folder], tmp_path / "one").read_text() for folder in folders))
    with read_otlp_file(file) as root:
        assert len(run_groups([root])) == len(folders)
    ended = command(tmp_path / "empty", "export", str(file), "-o", str(tmp_path / "x.html"))
    assert (ended.returncode, "has 4 runs" in ended.stderr) == (2, True)


def test_what_was_sent_twice_is_there_once_and_a_readable_file_is_read(tmp_path):
    record(tmp_path / "runs", "many", "50")
    (folder,) = run_folders(tmp_path / "runs")
    lines = exported([folder], tmp_path / "one").read_text().splitlines()
    logs = [line for line in lines if "resourceLogs" in line]
    (tmp_path / "twice").write_text("\n".join([*lines, *logs]))
    (tmp_path / "readable").write_text(json.dumps([json.loads(line) for line in lines], indent=2))
    for name in ("twice", "readable"):
        with read_otlp_file(tmp_path / name) as root:
            assert len(Recording.read(*only(root)).logs) == 52


def test_what_a_collector_has_moved_into_an_attribute_is_the_event_name(tmp_path):
    record(tmp_path / "runs", "many", "1")
    (folder,) = run_folders(tmp_path / "runs")
    text = exported([folder], tmp_path / "one").read_text()
    request = json.loads(next(line for line in text.splitlines() if "resourceLogs" in line))
    for one in request["resourceLogs"][0]["scopeLogs"][0]["logRecords"]:
        one["attributes"].append({"key": "event.name", "value": {"stringValue": one.pop("eventName")}})
    (tmp_path / "moved").write_text(json.dumps(request))
    with read_otlp_file(tmp_path / "moved") as root:
        names = [log.event_name for log in Recording.read(*only(root)).logs]
    assert names == ["synapse.job.started", "synapse.message", "synapse.job.finished"]


def test_damaged_lines_are_counted_and_the_rest_is_shown(shelf_root, tmp_path):
    from synapse_otel.runs.live.entry import row_of

    file = exported([next(run_folders(shelf_root))], tmp_path / "run.otlp.json")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], lines[1][: len(lines[1]) // 2], '{"resourceSpans": "no"}', "", *lines[2:]]))
    with read_otlp_file(file) as root:
        row = row_of(Overview.read(only(root)))
    assert row["word"] != "unreadable"
    assert any("2 lines of the file are damaged" in note for note in row["notes"])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        b"<p>mine",
        b"{}",
        b"[]",
        b'{"resourceLogs"',
        b'"resourceLogs"',
        b"[" * 100_000,
        b"\x00\xff\xfe\x28\xb5\x2f\xfd" * 100,
        b'{"name": "package", "version": 1}',
    ],
)
def test_what_is_no_such_file_is_said(tmp_path, text):
    file = tmp_path / "file.json"
    file.write_bytes(text)
    with pytest.raises(NotOtlpError, match="is neither a page nor OTLP in JSON"), read_otlp_file(file):
        pass


def test_a_file_of_too_many_processes_is_said(tmp_path):
    requests = ({"resourceLogs": [{"resource": {"attributes": [_text("host.name", str(at))]}}]} for at in range(201))
    file = tmp_path / "fleet.json"
    file.write_text("\n".join(map(json.dumps, requests)))
    with pytest.raises(NotOtlpError, match="more than 200 processes"), read_otlp_file(file):
        pass


def test_whatever_stands_where_a_value_should_be_the_rest_is_read(shelf_root, tmp_path):
    """Any value of a request may be of any kind: nothing of it stops the reader, and what is left can be shown."""
    file = exported([next(run_folders(shelf_root))], tmp_path / "run.otlp.json")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    dice = random.Random(7)
    for _ in range(150):
        spoiled = [json.loads(json.dumps(line)) for line in lines]
        for line in spoiled:
            _spoil(line, dice)
        file.write_text("\n".join(map(json.dumps, spoiled)))
        with read_otlp_file(file) as root:
            for group in run_groups([root]):
                found = FollowedRun([known.folder for known in group])
                assert found.refresh()
                found.close()


def _spoil(value: object, dice: random.Random) -> None:
    odd = [None, -1, 1 << 70, "x", "NaN", [], {}, [None], {"a": 1}, True, 1.5, "9" * 30]
    places = [(value, key) for value, key in _places(value) if key != "resource"]
    container, key = dice.choice(places)
    container[key] = dice.choice(odd)


def _places(value: object) -> list[tuple[object, object]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


def _text(key: str, value: str) -> dict[str, object]:
    return {"key": key, "value": {"stringValue": value}}
