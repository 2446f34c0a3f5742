"""Two releases, each really installed, share jobs, journals and shippers: nothing is lost (docs/upgrades.md).

``old`` is the newest release that was kept in ``releases``, ``new`` is this tree.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from synapse_otel import __version__
from synapse_otel._compiled import native
from synapse_otel.journal.files.lock_holder import read_holder
from synapse_otel.journal.folder import SHIP_LOCK
from tests.eventually import eventually
from tests.runs.ports import free_port
from tests.sink import Answer, Sink, attributes, body
from tests.upgrades.installed import Release, install_kept, install_tree, kept_releases, older_release, version_of
from tests.upgrades.side import (
    JOBS,
    Shared,
    check_once,
    ended,
    half,
    has_half,
    is_shipper_of,
    messages,
    one_shipper,
    said,
    samples,
    senders,
)

pytestmark = pytest.mark.once


class Pair(NamedTuple):
    first: Release
    second: Release


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Release]:
    return {
        "old": install_kept(older_release(), tmp_path_factory.mktemp("old")),
        "new": install_tree(tmp_path_factory.mktemp("new")),
    }


@pytest.fixture(params=["old", "new"])
def release(request: pytest.FixtureRequest, releases: dict[str, Release]) -> Release:
    return releases[request.param]


@pytest.fixture(params=["old-new", "new-old"])
def pair(request: pytest.FixtureRequest, releases: dict[str, Release]) -> Pair:
    """Both releases, in both orders."""
    return Pair(*(releases[name] for name in request.param.split("-")))


@pytest.fixture
def place(tmp_path: Path, sink: Sink) -> Iterator[Shared]:
    found = Shared(tmp_path / "journals", sink.url, loaded=tmp_path / "loaded")
    yield found
    found.end()


# --- what is installed --------------------------------------------------------------------------------


def test_this_release_is_kept() -> None:
    assert __version__ in {version_of(path) for path in kept_releases()}, "python -m tests.upgrades.make"


def test_job_worker_and_shipper_have_the_package_of_their_release(place: Shared, release: Release) -> None:
    job = place.job(release, "parent", "one", "variables", release.python, JOBS, "worker", "worker")
    assert ended(job)[0] == 0
    shipper = one_shipper(place, release)
    os.kill(shipper, signal.SIGTERM)
    eventually(lambda: place.loaded.read_text().count("\n") == 3)
    lines = place.loaded.read_text().splitlines()
    found = {process: (version, files) for process, version, files in map(json.loads, lines)}
    assert len(found) == 3
    assert {job.pid, shipper} <= set(found)
    for version, files in found.values():
        assert version == release.version
        assert [file for file in files if not Path(file).is_relative_to(release.packages)] == []


def test_the_new_one_has_the_compiled_module_where_the_tests_have_it(
    place: Shared, releases: dict[str, Release]
) -> None:
    told = place.command(releases["new"], "doctor", "environment", "--no-probe").stdout
    assert ("compiled module  used: " in told) == (native is not None), told


# --- journals of one, delivered by the other ----------------------------------------------------------


def test_what_a_job_without_a_shipper_left_is_delivered_by_sync_of_the_other(
    place: Shared, sink: Sink, pair: Pair
) -> None:
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    assert "success" in place.whole(pair.first, "whole", "one")
    job = place.job(pair.first, "waiting", "two")
    half(job)
    assert ended(job, "die")[0] == -signal.SIGKILL
    assert not sink.requests
    found = place.command(pair.second, "sync")
    assert (found.returncode, found.stdout.count("pending 0 · dropped 0\n")) == (0, 3), found
    assert place.is_delivered()
    check_once(sink, "one", "two")
    assert senders(sink) == {pair.second.version}
    again = len(sink.requests)
    assert place.command(pair.first, "sync").returncode == 0
    assert len(sink.requests) == again, "what one has delivered, the other does not send again"


def test_what_a_killed_job_and_its_killed_shipper_left_is_delivered_by_the_shipper_of_the_others_next_job(
    place: Shared, sink: Sink, pair: Pair
) -> None:
    job = place.job(pair.first, "waiting", "one")
    half(job)
    one_shipper(place, pair.first)
    sink.wait(partial(has_half, sink, "one"))
    sink.answer = lambda _request: Answer(503)  # nothing of the other half is for one that the job starts again
    place.kill_shipper()
    arrived = {attributes(record)["log.record.uid"] for record in sink.logs()}
    assert ended(job, "die")[0] == -signal.SIGKILL
    place.kill_shipper()
    before = len(sink.requests)
    sink.answer = lambda _request: Answer()
    assert "success" in place.whole(pair.second, "whole", "two")
    one_shipper(place, pair.second)
    eventually(place.is_delivered)
    assert {request.headers["user-agent"].split()[0] for request in sink.requests[before:]} == {
        f"synapse-otel/{pair.second.version}"
    }
    assert messages(sink, "two") == said("two")
    assert sorted(set(samples(sink, "one"))) == list(range(20))
    uids = [attributes(record)["log.record.uid"] for record in sink.logs()]
    again = {uid for uid in uids if uids.count(uid) > 1}
    assert again <= arrived, "what was accepted, but not yet noted, when the shipper was killed"
    assert list(dict.fromkeys(messages(sink, "one"))) == said("one")
    spans = {attributes(span)["synapse.job.id"]: span for span in sink.spans() if "synapse.action" in attributes(span)}
    assert attributes(spans["job-one"])["error.type"] == "killed"


# --- both at the same time ----------------------------------------------------------------------------


def test_two_jobs_in_one_folder_share_the_shipper_of_the_first(place: Shared, sink: Sink, pair: Pair) -> None:
    jobs = {}
    for release, name in zip(pair, ("one", "two"), strict=True):
        jobs[name] = place.job(release, "waiting", name)
        half(jobs[name])
        sink.wait(partial(has_half, sink, name))
    shipper = one_shipper(place, pair.first)
    code, line = ended(jobs["two"], "fail")
    assert code == 3
    assert line.startswith("synapse-otel: two: failure in "), line
    assert " · pending 0 · dropped 0 · " in line
    code, line = ended(jobs["one"], "end")
    assert code == 0
    assert line.startswith("synapse-otel: one: success in "), line
    assert " · pending 0 · dropped 0 · " in line
    assert one_shipper(place, pair.first) == shipper
    eventually(place.is_delivered)
    check_once(sink, "one", "two")
    assert senders(sink) == {pair.first.version}
    for release in pair:
        found = place.runs(release)
        assert {name: run["jobs"][0]["result"] for name, run in found.items()} == {"one": "success", "two": "failure"}


def test_sync_of_one_takes_runs_from_the_living_shipper_of_the_other(place: Shared, sink: Sink, pair: Pair) -> None:
    place.endpoint = f"http://127.0.0.1:{free_port()}"  # mistyped: nobody listens
    place.variables["SYNAPSE_OTEL_EXIT_TIMEOUT"] = "0.2"
    assert "success" in place.whole(pair.first, "whole", "one")
    job = place.job(pair.first, "waiting", "two")
    half(job)
    shipper = one_shipper(place, pair.first)
    eventually(lambda: all(read_holder(folder / SHIP_LOCK) for folder in place.folders()))
    place.endpoint = sink.url
    found = place.command(pair.second, "sync", "--all")
    assert found.returncode == 0, found
    assert found.stdout.count(" · taken over from ") == 2, found
    assert f"taken over from the shipper (process {shipper})" in found.stdout, "asked for one run, it gives both"
    assert found.stdout.count("still running, a shipper keeps delivering it") == 1
    assert messages(sink, "one") == said("one")
    assert Path(f"/proc/{shipper}").exists(), "it hands over, and is not ended for that"
    (later,) = eventually(lambda: set(place.shippers()) - {shipper})
    assert is_shipper_of(later, pair.second)
    assert ended(job, "end")[0] == 0
    eventually(place.is_delivered)
    check_once(sink, "one", "two")
    assert senders(sink) == {pair.second.version}


# --- workers of the other -----------------------------------------------------------------------------


def spans_by_name(sink: Sink) -> dict[str, Any]:
    return {span.name: span for span in sink.spans()}


@pytest.mark.parametrize(("how", "part"), [("variables", "worker"), ("pickle", "unpickling")])
def test_a_worker_of_the_other_records_in_the_run_and_the_trace_of_its_job(
    place: Shared, sink: Sink, pair: Pair, how: str, part: str
) -> None:
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    place.whole(pair.first, "parent", "one", how, pair.second.python, JOBS, part, "worker")
    for release in pair:
        (run,) = place.runs(release).values()
        assert (run["name"], len(run["folders"]), run["state"]) == ("one", 2, "done")
    assert place.command(pair.first, "sync").returncode == 0
    assert messages(sink, "worker") == said("worker")
    assert samples(sink, "one") == list(range(20))
    spans = spans_by_name(sink)
    step, worker = spans["delegate"], spans["worker delegate"]
    assert (worker.trace_id, worker.parent_span_id) == (step.trace_id, step.span_id)
    for record in sink.logs():
        assert attributes(record)["synapse.job.id"] == "job-one"
        assert record.trace_id == step.trace_id
        if str(body(record)).startswith("worker message"):
            assert record.span_id == worker.span_id


def test_a_job_of_the_other_that_is_told_of_a_trace_begins_in_it(place: Shared, sink: Sink, pair: Pair) -> None:
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    place.whole(pair.first, "parent", "one", "trace alone", pair.second.python, JOBS, "child", "two")
    assert place.command(pair.second, "sync").returncode == 0
    assert messages(sink, "two") == said("two")
    spans = spans_by_name(sink)
    step = spans["delegate"]
    roots = [span for span in sink.spans() if attributes(span).get("synapse.job.id") == "job-two"]
    assert [(span.trace_id, span.parent_span_id) for span in roots] == [(step.trace_id, step.span_id)]


def test_a_context_that_another_release_cannot_use_is_told_with_both_versions_and_its_worker_goes_on(
    place: Shared, sink: Sink, releases: dict[str, Release], release: Release
) -> None:
    place.variables["SYNAPSE_OTEL_SHIPPER"] = "off"
    worker = (releases["new"].python, JOBS, "unpickling_as", "9.9.0", "worker")
    job = place.job(release, "parent", "one", "pickle that is of no use", *worker)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 0, err
    line, last = err.splitlines()
    assert line.startswith(
        "synapse-otel: this process has synapse-otel 9.9.0 and cannot use the job's context, "
        f"which is from {release.version} (TypeError: "
    )
    assert "install the same release in both" in line
    assert "one: success" in last
    assert place.command(releases["new"], "sync").returncode == 0
    assert messages(sink, "worker") == []
    assert "delegate" in spans_by_name(sink)


# --- commands -----------------------------------------------------------------------------------------


def test_commands_and_read_of_each_show_runs_of_both(place: Shared, releases: dict[str, Release]) -> None:
    place.variables |= {"SYNAPSE_OTEL_SHIPPER": "off", "SYNAPSE_OTEL_JAEGER_URL": f"http://127.0.0.1:{free_port()}"}
    for backend in ("LOGS", "PROMETHEUS"):
        place.variables[f"SYNAPSE_OTEL_VERIFY_{backend}_URL"] = f"http://127.0.0.1:{free_port()}"
    for name, release in releases.items():
        place.whole(release, "whole", f"{name}-done")
        job = place.job(release, "waiting", f"{name}-killed")
        half(job)
        assert ended(job, "die")[0] == -signal.SIGKILL
    for arguments, code in COMMANDS:
        old, new = (place.command(releases[name], *arguments.split()) for name in ("old", "new"))
        assert (old.returncode, new.returncode, old.stderr + new.stderr) == (code, code, "")
        if "--json" in arguments:
            assert is_within(json.loads(old.stdout), json.loads(new.stdout)), (old.stdout, new.stdout)
        else:
            for name in ("old-killed", "new-killed"):
                assert old.stdout.count(name) == new.stdout.count(name)
    states = {"old-done": "done", "old-killed": "crashed", "new-done": "done", "new-killed": "crashed"}
    for release in releases.values():
        (told,) = place.job(release, "reading", *states).communicate(timeout=60)[0].splitlines()
        assert json.loads(told) == {
            name: {"messages": said(name), "loss": [float(number) for number in range(20)], "state": state}
            for name, state in states.items()
        }


COMMANDS = [
    ("jobs", 0),
    ("jobs --json", 0),
    ("show old-killed", 0),
    ("show new-killed", 0),
    ("verify --since 1h --json", 4),
]


def is_within(part: Any, whole: Any) -> bool:
    """Say whether a JSON value has all members of another, with the same values; it may have more."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(is_within, part, whole))
    return bool(part == whole)
