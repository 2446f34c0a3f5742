"""Agent and gateway with the real routes, and a recording sink in the place of each exporter of routes.yaml."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.eventually import eventually
from tests.sink import Sink
from tests.sink_grpc import GrpcSink
from tools.stack.servers import CONFIGURATION
from tools.stack.stack import Stack

ROUTES = CONFIGURATION / "routes.yaml"
KINDS = {"otlp_http": Sink, "otlp_grpc": GrpcSink}
_VARIABLE = re.compile(r"\$\{env:([A-Z0-9_]+):-.*\}")


@dataclass(frozen=True)
class Tiers:
    """The running tiers, and by name of the sink what receives in its place."""

    stack: Stack
    sinks: Mapping[str, Sink]

    def settle(self) -> None:
        """Wait until all that the agent has accepted is delivered: no queue holds anything any more."""
        for tier in ("agent", "gateway"):  # the agent's are empty only when the gateway's have it
            eventually(lambda tier=tier: self._queued(tier) == 0, within=30, every=0.05)

    def _queued(self, tier: str) -> float:
        with urllib.request.urlopen(self.stack.collector_metrics(tier), timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        sizes = [float(line.split()[-1]) for line in lines if line.startswith("otelcol_exporter_queue_size{")]
        assert sizes, "the name of the metric has changed"
        return sum(sizes)


@contextmanager
def running_tiers(
    folder: Path,
    settings: Mapping[str, str],
    *,
    programs: Mapping[str, str] | None = None,
    files: Mapping[str, Sequence[Path]] | None = None,
) -> Iterator[Tiers]:
    """Run both tiers with the variables in `settings`; every sink of routes.yaml is on, unless these say `off`.

    `programs` and `files` are those of Stack: other versions of the Collector.

    A sink is named after its exporter: `otlp_http/alerts` is `alerts`. Its address is the variable in the exporter's
    endpoint, or, where that has none, a further piece of configuration.
    """
    exporters: dict[str, Any] = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))["exporters"]
    sinks: dict[str, Sink] = {}
    variables: dict[str, str] = {}
    overrides: dict[str, Any] = {}
    with ExitStack() as stack:
        for name, exporter in exporters.items():
            kind, _, sink = name.partition("/")
            if kind not in KINDS:
                continue
            variable = _VARIABLE.fullmatch(exporter["endpoint"])
            known = variable and variables.get(variable[1])
            sinks[sink] = stack.enter_context(KINDS[kind]())
            address = sinks[sink].url.removeprefix("http://") if kind == "otlp_grpc" else sinks[sink].url
            if variable and not known:
                variables[variable[1]] = address
            else:  # two exporters share a variable, or it is no variable: each gets its own sink
                overrides[name] = {"endpoint": address}
        configs = {"gateway": [f"yaml:{yaml.safe_dump({'exporters': overrides})}"]} if overrides else {}
        environments = {"agent": dict(settings), "gateway": variables | dict(settings)}
        tiers = Stack(
            ("agent", "gateway"),
            directory=folder,
            environments=environments,
            configs=configs,
            programs=programs,
            files=files,
        )
        yield Tiers(stack.enter_context(tiers), sinks)
