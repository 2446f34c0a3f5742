"""docker-compose.yml runs the versions and the files that the tests run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.stack import versions
from tools.stack.build import build
from tools.stack.ports import KNOWN, Ports
from tools.stack.servers import SERVERS

ROOT = Path(__file__).parents[2]
IMAGES = {
    "collector": f"otel/opentelemetry-collector-contrib:{versions.COLLECTOR}",
    "queue-folder": f"prom/prometheus:v{versions.PROMETHEUS}",
    "jaeger": f"jaegertracing/jaeger:{versions.JAEGER}",
    "prometheus": f"prom/prometheus:v{versions.PROMETHEUS}",
    "loki": f"grafana/loki:{versions.LOKI}",
    "grafana": f"grafana/grafana:{versions.GRAFANA}",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(compose["services"])


def test_images_have_the_versions_of_the_stack(services: dict[str, Any]) -> None:
    assert {name: service["image"] for name, service in services.items()} == IMAGES


def test_what_is_mounted_from_here_exists_and_cannot_be_written(services: dict[str, Any]) -> None:
    mounts = [mount for service in services.values() for mount in service["volumes"] if mount.startswith("./")]
    assert len(mounts) == 5
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert (ROOT / source).exists(), mount
        assert mode == "ro", mount


@pytest.mark.parametrize("part", sorted(SERVERS))
def test_each_part_reads_its_own_file_of_collector(services: dict[str, Any], part: str) -> None:
    mounted = [mount.split(":") for mount in services[part]["volumes"] if mount.startswith("./collector/")]
    [(source, target, _)] = mounted
    assert source == f"./collector/{part}.yaml"
    assert any(argument.endswith(f"={target}") for argument in services[part]["command"])


def test_prometheus_and_loki_get_the_flags_of_the_tested_ones(services: dict[str, Any], tmp_path: Path) -> None:
    for part in ("prometheus", "loki"):
        ports = Ports()
        tested = SERVERS[part](tmp_path, tmp_path, ports).command[1:]
        ports.close()
        assert [_flag(text) for text in services[part]["command"]] == [_flag(text) for text in tested]


def test_each_variable_is_one_that_the_file_reads(services: dict[str, Any]) -> None:
    for part in SERVERS:
        text = (ROOT / "collector" / f"{part}.yaml").read_text(encoding="utf-8")
        known = set(re.findall(r"\$\{(?:env:)?([A-Z0-9_]+):", text))
        assert set(services[part].get("environment", {})) <= known, part


def test_every_port_is_published_on_loopback_and_can_be_moved(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    wanted = {known.variable: known.port for known in KNOWN.values()} | {"STACK_GRAFANA_PORT": 3000}
    assert sorted(published) == sorted(f"127.0.0.1:${{{name}:-{port}}}:{port}" for name, port in wanted.items())


def test_data_sources_point_at_the_services(services: dict[str, Any]) -> None:
    path = ROOT / "grafana" / "provisioning" / "datasources" / "datasources.yaml"
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert [source["uid"] for source in sources] == ["prometheus", "loki", "jaeger"]
    for source in sources:
        port = KNOWN[source["uid"]].port
        assert source["url"] == f"http://{source['uid']}:{port}"
        assert source["uid"] in services
    uids = set(re.findall(r"datasourceUid: (\w+)", path.read_text(encoding="utf-8")))
    assert uids <= {source["uid"] for source in sources}


def test_readme_lists_every_variable_with_its_default() -> None:
    readme = (ROOT / "collector" / "README.md").read_text(encoding="utf-8")
    for part in ("collector", "jaeger", "loki"):
        text = (ROOT / "collector" / f"{part}.yaml").read_text(encoding="utf-8")
        for name, default in set(re.findall(r"\$\{(?:env:)?([A-Z0-9_]+):-([^}]*)\}", text)):
            assert f"| `{name}` | `{default}` |" in readme, name


@pytest.mark.stack
def test_prometheus_accepts_its_configuration() -> None:
    promtool = build(["prometheus"])["prometheus"] / "promtool"
    command = [str(promtool), "check", "config", str(ROOT / "collector" / "prometheus.yaml")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr


def _flag(text: str) -> str:
    return text.partition("=")[0]
