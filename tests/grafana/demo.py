"""The fleet that the dashboards are asked about: real servers, and real jobs of two versions of a plugin."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from synapse_otel import semconv
from synapse_otel.journal.frames import Scope
from synapse_otel.otlp.encode import values as encode_values
from synapse_otel.otlp.encode.metrics import points_of
from synapse_otel.otlp.encode.request import Group, record_field, request
from tests.collector.prometheuses import COLLECTOR, Prometheus
from tools.stack.stack import Stack

SCRIPT = Path(__file__).with_name("demo_job.py")
ENDED_SECONDS = 120
SCRAPED = ("otelcol", "victorialogs")
FLAGS = ("--web.enable-otlp-receiver", "--enable-feature=exemplar-storage")


@dataclass
class Job:
    """A job of the demo: its process, its id and its trace's."""

    process: subprocess.Popen[str]
    job_id: str
    trace_id: str


@dataclass
class Demo:
    """Where the servers are, what the plugin is called, and its jobs by what became of them."""

    prometheus: str
    victorialogs: str
    jaeger: str
    otlp: str
    state: Path
    begun: float
    plugin: str = field(default_factory=lambda: f"digits-{secrets.token_hex(4)}")
    jobs: dict[str, Job] = field(default_factory=dict)

    def start(self, name: str, ending: str, version: str) -> Job:
        """Start a job and return when it is in its middle."""
        job_id = f"{name}-{secrets.token_hex(4)}"
        environment = {
            **os.environ,
            "JOB_ID": job_id,
            "SYNAPSE_OTEL_RUN_NAME": f"run-{name}",
            "PLUGIN": self.plugin,
            "VERSION": version,
            "XDG_STATE_HOME": str(self.state),
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp,
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "SYNAPSE_OTEL_USAGE_INTERVAL": "0.5",  # a rate needs two samples of a job that is short
            "OTEL_RESOURCE_ATTRIBUTES": "synapse.tenant=demo",
        }
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), ending],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        self.jobs[name] = Job(process, job_id, json.loads(line)["trace"])
        return self.jobs[name]

    def run(self) -> None:
        """Run one job to its end, let one fail, kill one, and leave one of a newer version running."""
        self.start("good", "good", "1.0.0")
        self.start("failing", "failing", "1.0.0")
        self.start("newer", "good", "2.0.0")
        self.start("killed", "waiting", "2.0.0").process.send_signal(signal.SIGKILL)
        for name in ("good", "failing", "newer", "killed"):
            self.jobs[name].process.wait(ENDED_SECONDS)
        self.start("running", "ticking", "2.0.0")

    def tell_of_what_is_not_here(self) -> None:
        """Tell of a GPU and a limit of memory of the job that runs, as its shipper would where there are some."""
        now = time.time_ns()
        job = {semconv.JOB_ID: self.jobs["running"].job_id, semconv.ACTION: "train", semconv.PLUGIN_NAME: self.plugin}
        gpu = {**job, semconv.HW_ID: "GPU-1", semconv.HW_NAME: "GPU 0", semconv.HW_MODEL: "NVIDIA Test"}
        points = [
            points_of(what.instrument, what.name, what.unit, what.description, own)(now, now, value)
            for what, own, value in (
                (semconv.JOB_MEMORY_LIMIT, job, 1 << 30),
                (semconv.HW_GPU_UTILIZATION, gpu, 0.75),
                (semconv.HW_GPU_MEMORY_USAGE, gpu, 1 << 29),
                (semconv.HW_GPU_MEMORY_LIMIT, gpu, 1 << 31),
                (semconv.HW_POWER, {**gpu, semconv.HW_TYPE: "gpu"}, 200.0),
            )
        ]
        resource = encode_values.resource({semconv.SERVICE_NAME: self.plugin, semconv.TENANT: "demo"})
        body = request(
            resource, [Group(encode_values.scope(Scope(0, semconv.SCOPE_NAME)), list(map(record_field, points)))]
        )
        asked = urllib.request.Request(f"{self.otlp}/v1/metrics", body, {"content-type": "application/x-protobuf"})
        urllib.request.urlopen(asked, timeout=30).close()

    def end(self) -> None:
        """Kill what still runs."""
        for job in self.jobs.values():
            job.process.kill()
            job.process.communicate()


def _scraped(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """Return by the jobs of prometheus.yaml which servers of the stack they scrape."""
    tiers = [
        {"targets": [urlsplit(stack.collector_metrics(tier)).netloc], "labels": {"tier": tier}}
        for tier in ("agent", "gateway")
    ]
    log_store = [{"targets": [urlsplit(stack.victorialogs).netloc]}]
    return dict(zip(SCRAPED, (tiers, log_store), strict=True))


def _lay_out(folder: Path, stack: Stack) -> None:
    """Write beside prometheus.yaml where the servers are, and the rules, looked at each second."""
    (folder / "targets").mkdir(parents=True)
    for job, targets in _scraped(stack).items():
        (folder / "targets" / f"{job}.json").write_text(json.dumps(targets), encoding="utf-8")
    shutil.copytree(COLLECTOR / "alerts", folder / "alerts")
    for path in (folder / "alerts").glob("*.rules.yaml"):
        rules = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group["interval"] = "1s"
        path.write_text(yaml.safe_dump(rules), encoding="utf-8")


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """Start the servers and the jobs; both end with the context."""
    stock = yaml.safe_load((COLLECTOR / "prometheus.yaml").read_text(encoding="utf-8"))
    hurried = stock | {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [
            {"job_name": job, "file_sd_configs": [{"files": [f"targets/{job}.json"]}]} for job in SCRAPED
        ],
    }
    prometheus = Prometheus(folder / "prometheus", hurried, FLAGS)
    environments = {"gateway": {"COLLECTOR_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp"}}
    stack = Stack(("agent", "gateway", "jaeger", "victorialogs"), directory=folder / "stack", environments=environments)
    _lay_out(folder / "prometheus", stack)
    with prometheus, stack:
        running = Demo(prometheus.url, stack.victorialogs, stack.jaeger, stack.otlp_http, folder / "state", time.time())
        try:
            running.run()
            running.tell_of_what_is_not_here()
            yield running
        finally:
            running.end()
