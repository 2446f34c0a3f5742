"""Every query of every panel, asked of the real Prometheus, VictoriaLogs and Jaeger that hold real jobs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.grafana.asking import INTERVAL, NAMES, Asker, Chosen, panels, read
from tests.grafana.demo import Demo, demo
from tests.grafana.demo_job import EPOCHS, IMAGES
from tests.grafana.provisioning import plain, source
from tools.stack.fetch import get_json
from tools.stack.polling import eventually
from tools.stack.query import jaeger_trace

pytestmark = [pytest.mark.once, pytest.mark.stack]

(LINK,) = source("prometheus")["exemplarTraceIdDestinations"]
ENDINGS = ("good", "failing", "newer", "killed")
SEEN = EPOCHS // 2 + 1
"""Epochs of a job that does not come to its end."""
ONLY_AFTER_A_FAILURE = re.compile(r"otelcol_exporter_send_failed_\w+")
"""Series that a Collector has from its first failure on; tests/collector/ has tiers in trouble that have them."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The servers with a good job, a failed one, a killed one, one of a newer version, and one that runs."""
    with demo(tmp_path_factory.mktemp("grafana")) as running:
        eventually(partial(is_settled, running), timeout=120, every=0.5)
        yield running


def is_settled(fleet: Demo) -> bool:
    """Whether all that the ended jobs have sent has arrived, the rules have seen it, and the tiers were asked twice."""
    ask = Asker(fleet, {}, {})
    of_plugin = f'synapse_plugin_name="{fleet.plugin}"'
    states = ask.prometheus(f"synapse:job_state{{{of_plugin}}}").by("synapse_job_id", "state")
    assert len(states) == len(fleet.jobs)
    assert (fleet.jobs["killed"].job_id, "crashed") in states
    for state in ("done", "crashed"):  # what a job's end says arrives with the last of its metrics
        assert (fleet.jobs["running"].job_id, state) not in states
    assert len(ask.prometheus(f"last_over_time(synapse_job_duration_seconds_count{{{of_plugin}}}[1h])").result) == 4
    steps = ask.prometheus(f"last_over_time(synapse_step_duration_seconds_count{{{of_plugin}}}[1h])")
    assert len(steps.result) == len(fleet.jobs) + len(ENDINGS), "each has loaded, and four have ended their training"
    elapsed = ask.prometheus(f"synapse_step_elapsed_seconds{{{of_plugin}}}").by("synapse_job_id", "synapse_step_name")
    assert elapsed.keys() == {(fleet.jobs["running"].job_id, "train")}
    alerts = ask.prometheus(f'ALERTS{{alertname="SynapseMetricNonFinite", alertstate="firing", {of_plugin}}}')
    assert len(alerts.result) == len(fleet.jobs)
    finished = f'service.name:="{fleet.plugin}" event_name:="synapse.job.finished"'
    assert len(ask.victorialogs(finished).result) == len(ENDINGS)
    for name in ENDINGS:
        spans = jaeger_trace(fleet.jaeger, fleet.jobs[name].trace_id)
        assert [span.name for span in spans if span.parent_span_id is None] == [f"train {fleet.plugin}"], name
    for series in ("otelcol_receiver_accepted_spans_total", "synapse_shipper_emitted_total", "synapse_job_items_total"):
        assert ask.prometheus(f"rate({series}[1m])").result, series
    assert all(answer.result for answer in of_job(fleet, "running", "Its host")), "sampled twice"
    tiers = Asker(fleet, read("pipeline"), {"plugin": fleet.plugin})
    assert all(answer.result for answer in tiers.panel("Delivered to each backend")), "each signal's sender asked twice"
    return True


def of_job(fleet: Demo, name: str, title: str) -> list[Any]:
    """Return the answers of a panel of the dashboard Job for one of the jobs."""
    return Asker(fleet, read("job"), {"plugin": fleet.plugin, "job": fleet.jobs[name].job_id}).panel(title)


def of_fleet(fleet: Demo, title: str) -> list[Any]:
    return Asker(fleet, read("jobs"), {"plugin": fleet.plugin}).panel(title)


def of_plugin(fleet: Demo, title: str) -> list[Any]:
    return Asker(fleet, read("plugin"), {"plugin": fleet.plugin}).panel(title)


def askers(fleet: Demo, name: str) -> list[Asker]:
    """Return the ways to look at a dashboard: Job at each of the jobs."""
    if name != "job":
        return [Asker(fleet, read(name), {"plugin": fleet.plugin})]
    return [
        Asker(fleet, read(name), {"plugin": fleet.plugin, "job": job.job_id, "curve": curve})
        for job in fleet.jobs.values()
        for curve in ("[$__range]", "[$__range:$__interval]")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_is_empty_and_no_query_asks_for_nothing(fleet: Demo, name: str) -> None:
    found: dict[tuple[str, str], int] = {}
    for asker in askers(fleet, name):
        for panel in panels(asker.board):
            for answer in asker.answers(panel):
                key = (panel["title"], answer.target["refId"])
                found[key] = found.get(key, 0) + len(answer.result)
    assert [key for key, count in found.items() if not count] == []
    assert len(found) > 5


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pipeline"])
def test_variables_offer_what_the_ones_before_leave(fleet: Demo, name: str) -> None:
    asker = Asker(fleet, read(name), {"plugin": fleet.plugin})
    wanted = {
        "tenant": ["demo"],
        "action": ["train"],
        "plugin": [fleet.plugin],
        "job": sorted(job.job_id for job in fleet.jobs.values()),
        "version": ["1.0.0", "2.0.0"],
        "metric": ["accuracy", "loss"],
        "service": [fleet.plugin],
    }
    for variable in asker.variables.values():
        if variable["name"] in wanted:
            assert sorted(asker.options(variable["name"])) == wanted[variable["name"]], variable["name"]
    elsewhere = Asker(fleet, read(name), {"tenant": "nobody", "plugin": fleet.plugin, "job": ""})
    for variable in ("action", "plugin", "job", "version"):
        if variable in asker.variables:
            assert elsewhere.options(variable) == [], variable


def test_marks_stand_at_what_a_job_said(fleet: Demo) -> None:
    asker = Asker(fleet, read("job"), {"plugin": fleet.plugin, "job": fleet.jobs["failing"].job_id})
    said = {}
    for mark in asker.board["annotations"]["list"]:
        if mark["name"] == "Alerts":
            firing = asker.prometheus(asker.substitute(mark["expr"]), step=INTERVAL)
            assert {series["metric"]["alertname"] for series in firing.result} == {"SynapseMetricNonFinite"}
        else:
            (answer,) = asker.answers({"targets": [mark["target"]]})
            said[mark["name"]] = sorted(answer.lines)
    assert set(said) == {"Events", "Warnings and errors"}
    assert said["Events"] == ["dataset"]
    assert {line.partition(":")[0] for line in said["Warnings and errors"]} >= {"ValueError", "the loss falls slowly"}


def test_from_a_span_to_its_log_records_and_metrics(fleet: Demo) -> None:
    job = fleet.jobs["failing"]
    ask = Asker(fleet, {}, {})
    ways = source("jaeger")
    records = ask.victorialogs(plain(ways["tracesToLogsV2"]["query"]).replace("${__span.traceId}", job.trace_id))
    assert "the loss falls slowly" in records.lines
    assert {record["synapse.job.id"] for record in records.result} == {job.job_id}
    ((tag,),) = [ways["tracesToMetrics"]["tags"]]
    for span in jaeger_trace(fleet.jaeger, job.trace_id):
        assert span.attributes[tag["key"]] == job.job_id, "without it there would be no link"
    for query in ways["tracesToMetrics"]["queries"]:
        running = fleet.jobs["running"].job_id
        assert ask.prometheus(plain(query["query"]).replace("$__tags", f'{tag["value"]}="{running}"')).result, query


def test_no_query_names_a_series_that_the_server_has_not(fleet: Demo) -> None:
    has = set(get_json(f"{fleet.prometheus}/api/v1/label/__name__/values")["data"])
    asked = {
        name
        for board in map(read, NAMES)
        for panel in panels(board)
        for target in panel["targets"]
        if target["datasource"]["uid"] == "prometheus"
        for name in re.findall(r"[a-zA-Z_:][\w:]*(?=\{)", target["expr"])
    }
    assert len(asked) > 30
    assert {name for name in asked - has if not ONLY_AFTER_A_FAILURE.fullmatch(name)} == set()


# --- what a job used --------------------------------------------------------------------------------------


def test_what_a_job_used_is_shown_with_its_limits(fleet: Demo) -> None:
    busy, cpus = of_job(fleet, "running", "CPUs kept busy")
    assert 0 <= busy.number <= cpus.number == len(os.sched_getaffinity(0))
    used, limit = of_job(fleet, "running", "Memory")
    assert 10 << 20 < used.number < limit.number == 1 << 30
    (disk,) = of_job(fleet, "running", "Disk")
    assert disk.by("disk_io_direction").keys() == {("read",), ("write",)}
    (network,) = of_job(fleet, "running", "Network")
    assert network.by("network_io_direction").keys() == {("receive",), ("transmit",)}
    (utilisation,) = of_job(fleet, "running", "GPU utilisation")
    assert utilisation.by("hw_name") == {("GPU 0",): 0.75}
    memory, most = of_job(fleet, "running", "GPU memory")
    assert (memory.by("hw_name"), most.number) == ({("GPU 0",): 1 << 29}, 1 << 31)
    (power,) = of_job(fleet, "running", "GPU power")
    assert power.by("hw_name") == {("GPU 0",): 200}
    cpu, full = of_job(fleet, "running", "Its host")
    assert 0 < cpu.number <= 1
    assert 0 < full.number < 1


# --- Jobs ------------------------------------------------------------------------------------------------


def test_jobs_are_counted_by_what_became_of_them(fleet: Demo) -> None:
    numbers = {title: of_fleet(fleet, title)[0].number for title in ("Live", "Stalled", "Crashed", "Ended", "Killed")}
    assert numbers == {"Live": 1, "Stalled": 0, "Crashed": 1, "Ended": 4, "Killed": 1}
    assert of_fleet(fleet, "Failed")[0].number == 0.5, "one failed and one was killed, of four"
    assert of_fleet(fleet, "Running, by plugin")[0].by("synapse_plugin_name") == {(fleet.plugin,): 1}


def test_the_bars_of_results_add_up_to_the_jobs_that_ended(fleet: Demo) -> None:
    (bars,) = of_fleet(fleet, "Ended, by result")
    interval = {series["metric"]["synapse.job.result"]: series["values"] for series in bars.result}
    # A bar holds what ended since the bar before it, and a job ended in one of them.
    assert {result: sum(float(value) for _time, value in values) for result, values in interval.items()} == {
        "success": 2,
        "failure": 1,
        "error": 1,
    }


def test_durations_are_counted_once_each(fleet: Demo) -> None:
    (buckets,) = of_fleet(fleet, "Durations, in seconds")
    assert buckets.by("le")[("+Inf",)] == len(ENDINGS)
    ended, failed, *durations = of_fleet(fleet, "Results by plugin")
    kind = ("synapse_plugin_name", "synapse_action")
    assert ended.by(*kind) == {(fleet.plugin, "train"): 4}
    assert failed.by(*kind) == {(fleet.plugin, "train"): 0.5}
    for answer in durations:
        assert 0 < answer.by(*kind)[(fleet.plugin, "train")] < 60


def test_the_table_of_jobs_tells_state_cause_and_progress(fleet: Demo) -> None:
    states, progress, to_go, silence = of_fleet(fleet, "Jobs of the last hour")
    of = {name: job.job_id for name, job in fleet.jobs.items()}
    found = states.by("synapse_job_id", "state", "cause", "service_version")
    assert set(found) == {
        (of["good"], "done", "", "1.0.0"),
        (of["failing"], "done", "", "1.0.0"),
        (of["newer"], "done", "", "2.0.0"),
        (of["killed"], "crashed", "killed", "2.0.0"),
        (of["running"], "live", "", "2.0.0"),
    }
    shares = progress.by("synapse_job_id")
    assert shares[(of["good"],)] == 1
    assert shares[(of["killed"],)] == pytest.approx(0.2 + 0.8 * SEEN / EPOCHS)
    assert set(to_go.by("synapse_job_id")) == {(of["running"],)}, "who has ended has no time to go"
    assert set(silence.by("synapse_job_id")) == {(of["running"],)}
    called = dict(states.by("synapse_job_id", "synapse_run_name").keys())
    assert called == {job_id: f"run-{name}" for name, job_id in of.items()}


def test_a_job_is_chosen_by_the_name_of_its_run(fleet: Demo) -> None:
    shown = Asker(fleet, read("job"), {"plugin": fleet.plugin}).shown("job")
    assert shown == {job.job_id: f"run-{name}" for name, job in fleet.jobs.items()}


def test_the_table_of_ended_jobs_has_its_columns_and_leads_to_the_traces(fleet: Demo) -> None:
    (answer,) = of_fleet(fleet, "Ended jobs")
    rows = {record["synapse.job.id"]: record for record in answer.result}
    assert len(rows) == len(answer.result) == len(ENDINGS)
    assert {rows[job.job_id]["trace_id"] for name, job in fleet.jobs.items() if name in ENDINGS} == {
        job.trace_id for name, job in fleet.jobs.items() if name in ENDINGS
    }
    killed = rows[fleet.jobs["killed"].job_id]
    (panel,) = [panel for panel in panels(read("jobs")) if panel["title"] == "Ended jobs"]
    (kept,) = [each["options"] for each in panel["transformations"] if each["id"] == "filterFieldsByName"]
    assert set(kept["include"]["names"]) - {"Time", "Line"} <= set(killed)
    assert (killed["synapse.job.result"], killed["error.type"]) == ("error", "killed")


@pytest.mark.parametrize("name", ["tenant", "action", "plugin"])
def test_a_part_of_a_value_is_not_the_value(fleet: Demo, name: str) -> None:
    chosen = {"tenant": "demo", "action": "train", "plugin": fleet.plugin}

    def found(value: str) -> list[int]:
        asker = Asker(fleet, read("jobs"), chosen | {name: value})
        return [len(answer.result) for title in ("Ended jobs", "Ended, by result") for answer in asker.panel(title)]

    assert found(chosen[name]) == [len(ENDINGS), 3]
    for other in (chosen[name][1:], chosen[name][:-1], "." * len(chosen[name])):
        assert found(other) == [0, 0], other


# --- Job -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state", "result", "progress", "epochs"),
    [
        ("good", "done", "success", 1, EPOCHS),
        ("failing", "done", "failure", 0.2 + 0.8 * SEEN / EPOCHS, SEEN),
        ("killed", "crashed", "error", 0.2 + 0.8 * SEEN / EPOCHS, SEEN),
        ("running", "live", None, None, SEEN),
    ],
)
def test_a_job_is_where_it_is(
    fleet: Demo, name: str, *, state: str, result: str | None, progress: float | None, epochs: int
) -> None:
    assert set(of_job(fleet, name, "State")[0].by("state")) == {(state,)}
    assert set(of_job(fleet, name, "Result")[0].by("synapse.job.result")) == ({(result,)} if result else set())
    done, items, limit, to_go, unchanged = of_job(fleet, name, "Progress and time to go, by category")
    for times in (to_go, unchanged):
        assert set(times.by("synapse_category")) == ({("load",), ("train",)} if name == "running" else set())
    if progress is not None:
        assert of_job(fleet, name, "Progress")[0].number == pytest.approx(progress)
        assert items.by("synapse_category") == {("load",): IMAGES, ("train",): epochs}
        assert limit.by("synapse_category") == {("load",): IMAGES, ("train",): EPOCHS}
        assert done.by("synapse_category") == {("load",): 1, ("train",): pytest.approx(epochs / EPOCHS)}
    assert of_job(fleet, name, "Warnings and errors")[0].number == 1
    assert of_job(fleet, name, "Values that were no number")[0].number == 1
    last, least, most, samples = of_job(fleet, name, "Metrics, in numbers")
    assert samples.by("synapse_metric_name") == {("loss",): epochs, ("accuracy",): epochs}
    assert last.by("synapse_metric_name")[("loss",)] == pytest.approx(1 / epochs)
    assert least.by("synapse_metric_name")[("loss",)] == pytest.approx(1 / epochs)
    assert most.by("synapse_metric_name")[("loss",)] == 1


def test_a_curve_has_every_sample_at_its_own_time(fleet: Demo) -> None:
    (curves,) = of_job(fleet, "good", "Metric curves")
    loss = next(one["values"] for one in curves.result if one["metric"]["synapse_metric_name"] == "loss")
    assert [float(value) for _time, value in loss] == pytest.approx([1 / (epoch + 1) for epoch in range(EPOCHS)])
    times = [round(time * 1000) for time, _value in loss]
    assert len(set(times)) == EPOCHS
    assert times == sorted(times)
    assert times[-1] - times[0] < 15_000, "they all lie within what a step of Grafana's would show as one"


def test_the_steps_of_a_job_are_its_own(fleet: Demo) -> None:
    labels = ("synapse_step_name", "synapse_step_result")
    for name, result in (("good", "success"), ("failing", "failure"), ("killed", "error")):
        ended, running = of_job(fleet, name, "Step durations")
        assert set(ended.by(*labels)) == {("load", "success"), ("train", result)}, name
        assert running.result == []
    ended, running = of_job(fleet, "running", "Step durations")
    assert set(ended.by(*labels)) == {("load", "success")}
    assert set(running.by("synapse_step_name")) == {("train",)}


def test_a_job_leads_to_its_trace_and_says_what_it_said(fleet: Demo) -> None:
    for name, job in fleet.jobs.items():
        (found,) = of_job(fleet, name, "Trace")
        assert [trace["traceID"] for trace in found.result] == [job.trace_id], name
    (told,) = of_job(fleet, "failing", "Exceptions")
    (line,) = told.lines
    assert line.startswith("ValueError: the loss is not finite\nTraceback")
    assert 'raise ValueError("the loss is not finite")' in line
    (messages,) = of_job(fleet, "good", "Messages and events")
    assert {"dataset", "all images are loaded", "the loss falls slowly"} <= set(messages.lines)
    assert "" not in messages.lines, "an event without a text shows its name"


def test_messages_are_chosen_by_level_and_words(fleet: Demo) -> None:
    def lines(**chosen: Chosen) -> set[str]:
        asker = Asker(fleet, read("job"), {"plugin": fleet.plugin, "job": fleet.jobs["failing"].job_id, **chosen})
        (found,) = asker.panel("Messages and events")
        return {line.partition(":")[0] for line in found.lines}

    assert lines(level=("WARN", "FATAL")) == {"the loss falls slowly", "not finite"}
    assert lines(level="ERROR") == {"ValueError", "job ended"}
    assert lines(search="LOSS FALLS") == {"the loss falls slowly"}
    assert lines(search="dataset") == {"dataset"}, "an event is found by its name"


def test_the_delivery_of_a_job_is_its_own(fleet: Demo) -> None:
    recorded, waiting, age = of_job(fleet, "good", "Delivery of its records")
    (messages,) = of_job(fleet, "good", "Messages and events")
    assert recorded.by("synapse_signal")[("logs",)] == len(messages.result)
    assert set(waiting.by("synapse_signal").values()) == {0}
    assert set(age.by("synapse_signal").values()) == {0}


# --- Plugin ----------------------------------------------------------------------------------------------


def test_versions_are_compared(fleet: Demo) -> None:
    ended, failed, _half, _most, mean, running = of_plugin(fleet, "Versions compared")
    assert ended.by("service_version") == {("1.0.0",): 2, ("2.0.0",): 2}
    assert failed.by("service_version") == {("1.0.0",): 0.5, ("2.0.0",): 0.5}
    assert running.by("service_version")[("2.0.0",)] == 1
    assert set(mean.by("service_version")) == {("1.0.0",), ("2.0.0",)}
    (steps,) = of_plugin(fleet, "Failed steps, by version")
    assert steps.by("synapse_step_name", "service_version") == {
        ("load", "1.0.0"): 0,
        ("load", "2.0.0"): 0,
        ("train", "1.0.0"): 0.5,
        ("train", "2.0.0"): 0.5,
    }
    (errors,) = of_plugin(fleet, "Errors, by type and version")
    assert errors.by("error.type", "service.version") == {("ValueError", "1.0.0"): 1, ("killed", "2.0.0"): 1}
    (reached,) = of_plugin(fleet, "Metrics at the end, by version")
    assert reached.by("synapse_metric_name", "service_version") == {
        (metric, version): pytest.approx(value)
        for version in ("1.0.0", "2.0.0")
        for metric, value in (("loss", 1 / EPOCHS), ("accuracy", 1 - 1 / EPOCHS))
    }, "of the jobs that succeeded"


def test_durations_lead_to_the_traces_of_their_jobs(fleet: Demo) -> None:
    asker = Asker(fleet, read("plugin"), {"plugin": fleet.plugin})
    (panel,) = [panel for panel in panels(asker.board) if panel["title"] == "How long jobs took"]
    ((exemplars,),) = [[asker.exemplars(target) for target in panel["targets"] if target["exemplar"]]]
    assert {each["labels"][LINK["name"]] for each in exemplars} == {fleet.jobs[name].trace_id for name in ENDINGS}
    for each in exemplars:
        (span,) = [
            span
            for span in jaeger_trace(fleet.jaeger, each["labels"]["trace_id"])
            if span.span_id == each["labels"]["span_id"]
        ]
        assert span.name == f"train {fleet.plugin}"
        assert float(each["value"]) == pytest.approx(span.duration_us / 1e6, abs=0.001)


def test_a_version_that_is_not_chosen_is_not_shown(fleet: Demo) -> None:
    asker = Asker(fleet, read("plugin"), {"plugin": fleet.plugin, "version": "2.0.0"})
    assert set(asker.panel("Versions compared")[0].by("service_version")) == {("2.0.0",)}
    assert set(asker.panel("Errors, by type and version")[0].by("error.type")) == {("killed",)}


# --- Pipeline health -------------------------------------------------------------------------------------


def test_the_pipeline_of_the_demo_is_well(fleet: Demo) -> None:
    asker = Asker(fleet, read("pipeline"), {})
    assert asker.panel("Collectors that answer")[0].number == 1
    assert asker.panel("Records lost")[0].number == 0
    assert asker.panel("Refused by a backend for good")[0].number == 0
    assert asker.panel("Why records were lost")[0].by("error_type") == {("none",): 0}
    assert asker.panel("Samples that Prometheus would refuse")[0].number == 0
    logs, samples, spans = asker.panel("Delivered to each backend")
    assert set(logs.by("exporter")) == {("otlp_http/victorialogs",)}
    assert set(samples.by("exporter")) == {("otlp_http/prometheus",)}
    assert set(spans.by("exporter")) == {("otlp_grpc/jaeger",)}
    for title in ("Taken in", "Fullest queue", "Restarts"):
        for answer in asker.panel(title):
            assert set(answer.by("tier")) == {("agent",), ("gateway",)}, title
    firing = asker.panel("Alerts that fire")[0].by("alertname")
    assert ("SynapseJobCrashed",) in firing or ("none",) in firing
