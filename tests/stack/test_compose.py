"""docker-compose.yml runs the versions and the files that the tests run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.collector.inputs import variables
from tools.stack import versions
from tools.stack.build import build
from tools.stack.ports import KNOWN, Known, Ports
from tools.stack.servers import GARBAGE_PERCENT, SERVERS

ROOT = Path(__file__).parents[2]
COLLECTOR = ROOT / "collector"
TIERS = {"agent": ["agent.yaml"], "gateway": ["gateway.yaml", "routes.yaml"]}
FILES = TIERS | {"jaeger": ["jaeger.yaml"], "prometheus": ["prometheus.yaml"], "victorialogs": []}
LOGS = "victoriametrics-logs-datasource"
IMAGES = {
    "agent": f"otel/opentelemetry-collector-contrib:{versions.COLLECTOR}",
    "gateway": f"otel/opentelemetry-collector-contrib:{versions.COLLECTOR}",
    "agent-health": f"prom/prometheus:v{versions.PROMETHEUS}",
    "gateway-health": f"prom/prometheus:v{versions.PROMETHEUS}",
    "queue-folders": f"prom/prometheus:v{versions.PROMETHEUS}",
    "jaeger": f"jaegertracing/jaeger:{versions.JAEGER}",
    "prometheus": f"prom/prometheus:v{versions.PROMETHEUS}",
    "victorialogs": f"victoriametrics/victoria-logs:v{versions.VICTORIALOGS}",
    "grafana": f"grafana/grafana:{versions.GRAFANA}",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return dict(compose["services"])


def test_images_have_the_versions_of_the_stack(services: dict[str, Any]) -> None:
    assert {name: service["image"] for name, service in services.items()} == IMAGES


def test_what_is_mounted_from_here_exists_and_cannot_be_written(services: dict[str, Any]) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", []) if mount.startswith("./")]
    assert len(mounts) == 11
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert (ROOT / source).exists(), mount
        assert mode == "ro", mount


def test_every_server_of_the_stack_but_the_optional_broker_is_in_compose(services: dict[str, Any]) -> None:
    assert set(SERVERS) - {"kafka"} == set(FILES)
    assert set(FILES) <= set(services)


@pytest.mark.parametrize("part", FILES)
def test_each_part_reads_its_own_files_of_collector(services: dict[str, Any], part: str) -> None:
    mounted = dict(mount.split(":")[:2] for mount in services[part]["volumes"] if mount.startswith("./collector/"))
    named = [argument.partition("=")[2] for argument in services[part]["command"] if argument.partition("=")[2]]
    files = [source.removeprefix("./collector/") for source, target in mounted.items() if target in named]
    assert files == FILES[part]


@pytest.mark.parametrize("tier", TIERS)
def test_a_collector_finds_its_fragments_and_can_harm_nothing(services: dict[str, Any], tier: str) -> None:
    service = services[tier]
    folder = _defaults("agent.yaml")["COLLECTOR_CONFIG_DIR"]
    assert f"./collector/fragments:{folder}/fragments:ro" in service["volumes"]
    assert service["command"] == [f"--config={folder}/{name}" for name in TIERS[tier]]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    [written] = [mount for mount in service["volumes"] if not mount.startswith("./")]
    volume, target = written.split(":")
    assert _defaults("fragments/file_storage.yaml")["COLLECTOR_STORAGE_PATH"].startswith(f"{target}/")
    handed = services["queue-folders"]
    assert f"{volume}:/queues/{tier}" in handed["volumes"]
    assert f"/queues/{tier}" in handed["entrypoint"]
    assert service["depends_on"]["queue-folders"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("part", ["jaeger", "prometheus", "victorialogs"])
def test_a_backend_can_write_to_its_volume_alone(services: dict[str, Any], part: str) -> None:
    assert services[part]["read_only"] is True
    assert services[part]["cap_drop"] == ["ALL"]
    assert services[part]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("tier", TIERS)
def test_the_limit_of_go_is_four_fifths_of_the_containers(services: dict[str, Any], tier: str) -> None:
    mib = {"256m": 256, "1g": 1024}[services[tier]["mem_limit"]]
    assert services[tier]["environment"]["GOGC"] == GARBAGE_PERCENT
    assert services[tier]["environment"]["GOMEMLIMIT"] == f"{mib * 4 / 5:.0f}MiB"


@pytest.mark.parametrize("tier", TIERS)
def test_a_neighbour_asks_for_the_health_of_each_collector(services: dict[str, Any], tier: str) -> None:
    host, port = services[tier]["environment"]["COLLECTOR_HEALTH_ENDPOINT"].split(":")
    assert host == "0.0.0.0"
    assert services[f"{tier}-health"]["healthcheck"]["test"][-1] == f"http://{tier}:{port}/"


def test_the_agent_sends_to_the_gateway_and_prometheus_asks_both(services: dict[str, Any]) -> None:
    port = services["gateway"]["environment"]["COLLECTOR_OTLP_GRPC_ENDPOINT"].rpartition(":")[2]
    assert services["agent"]["environment"]["COLLECTOR_GATEWAY_ENDPOINT"] == f"gateway:{port}"
    listed = json.loads((COLLECTOR / "targets" / "collectors.json").read_text(encoding="utf-8"))
    ports = {tier: _defaults(TIERS[tier][0])["COLLECTOR_METRICS_PORT"] for tier in TIERS}
    assert {target for group in listed for target in group["targets"]} == {f"{tier}:{ports[tier]}" for tier in TIERS}


def test_prometheus_and_victorialogs_get_the_flags_of_the_tested_ones(services: dict[str, Any], tmp_path: Path) -> None:
    for part in ("prometheus", "victorialogs"):
        ports = Ports()
        tested = SERVERS[part](tmp_path, tmp_path, ports).command[1:]
        ports.close()
        assert [_flag(text) for text in services[part]["command"]] == [_flag(text) for text in tested]


def test_each_variable_is_one_that_the_files_read(services: dict[str, Any]) -> None:
    for part in FILES:
        known = {name for file in _files(part) for name in _variables(file)}
        assert set(services[part].get("environment", {})) - {"GOMEMLIMIT", "GOGC"} <= known, part


def test_every_port_is_published_on_loopback_and_can_be_moved(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    wanted = [f"127.0.0.1:{_moved(known)}:{known.port}" for known in KNOWN.values()]
    assert sorted(published) == sorted([*wanted, "127.0.0.1:${STACK_GRAFANA_PORT:-3000}:3000"])


def _moved(known: Known) -> str:
    default = f"${{{known.former}:-{known.port}}}" if known.former else known.port
    return f"${{{known.variable}:-{default}}}"


def test_grafana_has_the_plugin_that_reads_the_log_store(services: dict[str, Any]) -> None:
    assert services["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_SYNC"] == LOGS
    path = ROOT / "grafana" / "provisioning" / "datasources" / "datasources.yaml"
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert [source["uid"] for source in sources if source["type"] == LOGS] == ["victorialogs"]


def test_data_sources_point_at_the_services(services: dict[str, Any]) -> None:
    path = ROOT / "grafana" / "provisioning" / "datasources" / "datasources.yaml"
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert [source["uid"] for source in sources] == ["prometheus", "victorialogs", "jaeger"]
    for source in sources:
        port = KNOWN[source["uid"]].port
        assert source["url"] == f"http://{source['uid']}:{port}"
        assert source["uid"] in services
    uids = set(re.findall(r"datasourceUid: (\w+)", path.read_text(encoding="utf-8")))
    assert uids <= {source["uid"] for source in sources}


@pytest.mark.parametrize("tier", TIERS)
def test_the_readme_lists_every_variable_of_a_collector_with_its_default(tier: str) -> None:
    column = 1 + list(TIERS).index(tier)
    rows = {row[0]: row for row in _rows(4)}
    wanted = {
        f"`{name}`": f"`{default}`" if default else "empty"
        for file in _files(tier)
        for name, default in _defaults(file).items()
    }
    assert {name: rows[name][column] for name in wanted if name in rows} == wanted
    listed = {name for name, row in rows.items() if row[column] != "-"}
    assert listed == set(wanted)


def test_the_readme_lists_every_variable_of_jaeger_with_its_default() -> None:
    rows = {(row[0], row[1]) for row in _rows(3)}
    assert {(f"`{name}`", f"`{default}`") for name, default in _defaults("jaeger.yaml").items()} <= rows


@pytest.mark.stack
def test_prometheus_accepts_its_configuration() -> None:
    promtool = build(["prometheus"])["prometheus"] / "promtool"
    command = [str(promtool), "check", "config", str(ROOT / "collector" / "prometheus.yaml")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr


def _flag(text: str) -> str:
    return text.partition("=")[0]


def _files(part: str) -> list[str]:
    """Return the files that a part reads, relative to collector/: for a Collector, the fragments that they name too."""
    files = FILES[part]
    fragments = {name for file in files for name in re.findall(r"/fragments/([a-z_]+)", _text(file))}
    wanted = sorted(str(path.relative_to(COLLECTOR)) for path in (COLLECTOR / "fragments").iterdir())
    return files + [path for path in wanted if Path(path).stem.startswith(tuple(fragments))] if fragments else files


def _text(file: str) -> str:
    return (COLLECTOR / file).read_text(encoding="utf-8")


def _variables(file: str) -> set[str]:
    return set(re.findall(r"\$\{(?:env:)?([A-Z][A-Z0-9_]+)[:}]", _text(file)))


def _defaults(file: str) -> dict[str, str]:
    """Return the default of each variable that a file of collector/ reads; there is but one, and each has one."""
    found = variables(_text(file))
    defaults = dict(found)
    assert len(defaults) == len(found), file
    assert _variables(file) == set(defaults), file
    return defaults


def _rows(columns: int) -> list[list[str]]:
    """Return the rows of the tables of the README that begin with a variable and have so many columns."""
    readme = (COLLECTOR / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines()]
    return [row for row in rows if len(row) == columns and re.fullmatch(r"`[A-Z][A-Z0-9_]+`", row[0])]
