"""How each server is built, as data: what the key of its folder in the cache is made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tools.stack import versions
from tools.stack.kafka import jars

MANIFEST = Path(__file__).parents[2] / "collector" / "manifest.yaml"
"""What the Collector's builder puts into the binary."""

NEWEST_MANIFEST = MANIFEST.with_name("manifest-newest.yaml")
"""The same of the newest Collector."""


class Method(StrEnum):
    """The ways in which a server comes here: three for a Go program, and one for Kafka."""

    INSTALL = "go install of the module itself"
    OWN_MODULE = "go build of a module of our own that repeats the server's go.mod"
    BUILDER = "the Collector's builder with a manifest"
    MAVEN = "jars that Maven fetches"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One server: where its source is and how it is compiled, or where its jars are.

    `packages` are Go packages below `module`, one for each name in `binaries`; `stamp` is the Go variable that
    receives `version`, because a binary built outside its repository does not know its own; `inputs` is the text
    of whatever else decides what comes out.
    """

    part: str
    version: str
    method: Method
    module: str
    module_version: str
    packages: tuple[str, ...]
    binaries: tuple[str, ...]
    stamp: str | None = None
    tags: tuple[str, ...] = ()
    inputs: str = ""
    minutes: float = 5

    @property
    def key(self) -> str:
        """Name of the folder in the cache: part, version and a hash of everything that shapes the binary."""
        shaping = dataclasses.asdict(self)
        del shaping["minutes"]
        digest = hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()
        return f"{self.part}-{self.version}-{digest[:12]}"

    @property
    def ldflags(self) -> str:
        """Linker flags: no debug tables, and the version where the server reports it."""
        return f"-s -w -X {self.stamp}" if self.stamp else "-s -w"


def recipes() -> dict[str, Recipe]:
    """Every part's recipe, by name, in the order in which they are built."""
    parts = (_collector(), _collector_newest(), _jaeger(), _prometheus(), _victorialogs(), _kafka())
    return {recipe.part: recipe for recipe in parts}


def _collector() -> Recipe:
    return Recipe(
        part="collector",
        version=versions.COLLECTOR,
        method=Method.BUILDER,
        module="go.opentelemetry.io/collector/cmd/builder",
        module_version=f"v{versions.COLLECTOR}",
        packages=("",),
        binaries=("otelcol",),
        inputs=MANIFEST.read_text(encoding="utf-8"),
        minutes=3,
    )


def _collector_newest() -> Recipe:
    return dataclasses.replace(
        _collector(),
        part="collector-newest",
        version=versions.COLLECTOR_NEWEST,
        module_version=f"v{versions.COLLECTOR_NEWEST}",
        inputs=NEWEST_MANIFEST.read_text(encoding="utf-8"),
    )


def _jaeger() -> Recipe:
    module = "github.com/jaegertracing/jaeger"
    return Recipe(
        part="jaeger",
        version=versions.JAEGER,
        method=Method.OWN_MODULE,
        module=module,
        module_version=versions.JAEGER_MODULE,
        packages=("cmd/jaeger",),
        binaries=("jaeger",),
        stamp=f"{module}/internal/version.latestVersion=v{versions.JAEGER}",
        minutes=5,
    )


def _prometheus() -> Recipe:
    return Recipe(
        part="prometheus",
        version=versions.PROMETHEUS,
        method=Method.INSTALL,
        module="github.com/prometheus/prometheus",
        module_version=versions.PROMETHEUS_MODULE,
        packages=("cmd/prometheus", "cmd/promtool"),
        binaries=("prometheus", "promtool"),
        stamp=f"github.com/prometheus/common/version.Version={versions.PROMETHEUS}",
        tags=("remove_all_sd", "netgo"),  # without the first, a service discovery's module is missing
        minutes=3,
    )


def _victorialogs() -> Recipe:
    return Recipe(
        part="victorialogs",
        version=versions.VICTORIALOGS,
        method=Method.INSTALL,
        module="github.com/VictoriaMetrics/VictoriaLogs",
        module_version=f"v{versions.VICTORIALOGS}",
        packages=("app/victoria-logs",),
        binaries=("victoria-logs",),
        stamp=f"github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=victoria-logs-v{versions.VICTORIALOGS}",
        minutes=1,
    )


def _kafka() -> Recipe:
    return Recipe(
        part="kafka",
        version=versions.KAFKA,
        method=Method.MAVEN,
        module="org.apache.kafka",
        module_version=versions.KAFKA,
        packages=(),
        binaries=tuple(jars.COMMANDS),
        inputs=jars.inputs(),
        minutes=0.5,
    )
