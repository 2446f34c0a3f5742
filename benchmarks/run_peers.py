"""Measures what somebody would use instead, one a process; runs in an environment of its own, without synapse-otel."""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyperf

METRICS = {"loss": 0.125, "accuracy": 0.93, "learning_rate": 0.001}
Calls = dict[str, Callable[[], object]]


@contextmanager
def use_logfire(_: Path) -> Iterator[Calls]:
    """Set up Logfire with its whole pipeline, but for sending: the batches are thrown away."""
    import logfire
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Sequence[Any]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    logfire.configure(
        send_to_logfire=False,
        console=False,
        additional_span_processors=[BatchSpanProcessor(Nowhere())],
        metrics=logfire.MetricsOptions(additional_readers=[InMemoryMetricReader()]),
    )
    gauges = {name: logfire.metric_gauge(name) for name in METRICS}

    def three() -> None:
        for name, value in METRICS.items():
            gauges[name].set(value, {"category": "training"})

    with logfire.span("train"):
        yield {
            "logfire.info": lambda: logfire.info("checkpoint {epoch}", epoch=5, path="weights.pt"),
            "logfire, 3 gauges": three,
        }


@contextmanager
def use_wandb(folder: Path) -> Iterator[Calls]:
    """Set up an offline run."""
    os.environ.update(WANDB_MODE="offline", WANDB_DIR=str(folder), WANDB_SILENT="true", WANDB_CONSOLE="off")
    import wandb

    run = wandb.init(project="bench", settings=wandb.Settings(x_disable_stats=True))
    yield {"wandb, 3 values": lambda: run.log(METRICS)}
    run.finish()


@contextmanager
def use_tensorboardx(folder: Path) -> Iterator[Calls]:
    """Set up a writer."""
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def three() -> None:
            for name, value in METRICS.items():
                writer.add_scalar(name, value, 1)

        yield {"tensorboardX, 3 scalars": three}


@contextmanager
def use_mlflow(folder: Path) -> Iterator[Calls]:
    """Set up a run on SQLite."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    logging.disable(logging.CRITICAL)
    with mlflow.start_run():
        yield {"mlflow, 3 metrics": lambda: mlflow.log_metrics(METRICS)}


@contextmanager
def use_tqdm(_: Path) -> Iterator[Calls]:
    """Set up a bar that nobody sees."""
    from tqdm import tqdm

    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, tqdm(total=10**12, file=nowhere) as bar:
        yield {"tqdm.update": bar.update}


@contextmanager
def use_logging(_: Path) -> Iterator[Calls]:
    """Set up a logger that formats and writes to nowhere."""
    logger = logging.getLogger("bench")
    handler = logging.StreamHandler(Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - ends with the process
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield {"logging to /dev/null": lambda: logger.info("checkpoint %s %s", 5, "weights.pt")}


PEERS = {
    "logfire": use_logfire,
    "wandb": use_wandb,
    "tensorboardx": use_tensorboardx,
    "mlflow": use_mlflow,
    "tqdm": use_tqdm,
    "logging": use_logging,
}


def _pass_on(command: list[str], arguments: argparse.Namespace) -> None:
    command += ["--peer", arguments.peer]


def main() -> None:
    """Measure, as a pyperf script."""
    runner = pyperf.Runner(program_args=("-m", "benchmarks.run_peers"), add_cmdline_args=_pass_on)
    runner.argparser.add_argument("--peer", choices=sorted(PEERS), required=True)
    arguments = runner.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        PEERS[arguments.peer](Path(folder)) as calls,
    ):
        for name, call in calls.items():
            runner.bench_func(name, call)


if __name__ == "__main__":
    main()
