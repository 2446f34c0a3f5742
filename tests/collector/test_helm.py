"""The values for the official chart hold the same configuration as the files of collector/, and only keys it knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.collector.otelcol import resolved, validate
from tools.collector import helm
from tools.collector.inputs import COLLECTOR, TIERS
from tools.collector.versions import NEWEST, SHIPPED, files, without_routing
from tools.stack import versions

SETTINGS: dict[str, dict[str, str]] = {
    "unset": {},
    "set": {
        "COLLECTOR_TLS": "server",
        "COLLECTOR_TLS_CERT_FILE": "/tls/tls.crt",
        "COLLECTOR_TLS_KEY_FILE": "/tls/tls.key",
        "COLLECTOR_GATEWAY_SCHEME": "https",
        "COLLECTOR_GATEWAY_CA_FILE": "/tls/ca.crt",
        "COLLECTOR_QUEUE_BYTES": "2147483648",
        "COLLECTOR_ALERTS_ENDPOINT": "http://alerts:4318",
        "COLLECTOR_MEMORY_PERCENT": "60",
    },
}

KNOWN = {
    "alternateConfig",
    "extraEnvs",
    "extraEnvsFrom",
    "extraManifests",
    "extraVolumeMounts",
    "extraVolumes",
    "fullnameOverride",
    "image",
    "initContainers",
    "mode",
    "podDisruptionBudget",
    "podSecurityContext",
    "ports",
    "replicaCount",
    "resources",
    "securityContext",
    "statefulset",
}
"""Of the chart's values, whose schema allows no other."""
PORT_KEYS = {"enabled", "containerPort", "servicePort", "hostPort", "protocol"}
CHART_PORTS = {"otlp", "otlp-http", "jaeger-compact", "jaeger-thrift", "jaeger-grpc", "zipkin", "metrics"}
PROBED_PORT = 13133
"""Where the chart's probes ask for `/`."""

pytestmark = pytest.mark.once

each_tier = pytest.mark.parametrize("tier", list(TIERS))


def values(tier: str) -> dict[str, Any]:
    loaded = yaml.safe_load((COLLECTOR / "helm" / f"{tier}-values.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def as_in_a_pod(tier: str, folder: Path) -> tuple[Path, Path]:
    """Lay out what the chart mounts; return its configuration file and the folder that holds fragments/."""
    chosen = values(tier)
    relay = folder / "relay.yaml"
    relay.write_text(yaml.safe_dump(chosen["alternateConfig"]), encoding="utf-8")
    [manifest] = chosen["extraManifests"]
    [mounted] = [volume for volume in chosen["extraVolumes"] if volume["name"] == "fragments"]
    assert manifest["metadata"]["name"] == mounted["configMap"]["name"]
    [mount] = [mount for mount in chosen["extraVolumeMounts"] if mount["name"] == "fragments"]
    assert mount["mountPath"] == f"{variables(tier)['COLLECTOR_CONFIG_DIR']}/fragments"
    (folder / "fragments").mkdir()
    for name, text in manifest["data"].items():
        (folder / "fragments" / name).write_text(text, encoding="utf-8")
    return relay, folder


def variables(tier: str) -> dict[str, str]:
    return {entry["name"]: entry["value"].replace("$(MY_POD_IP)", "10.1.2.3") for entry in values(tier)["extraEnvs"]}


@each_tier
def test_the_files_are_what_the_generator_makes(tier: str) -> None:
    text = (COLLECTOR / "helm" / f"{tier}-values.yaml").read_text(encoding="utf-8")
    assert text == helm.values_file(tier), "`python -m tools.collector helm` writes them"


@pytest.mark.stack
@pytest.mark.parametrize("settings", list(SETTINGS))
@each_tier
def test_the_collector_makes_the_same_of_them_as_of_the_files(tier: str, settings: str, tmp_path: Path) -> None:
    relay, folder = as_in_a_pod(tier, tmp_path)
    chosen = variables(tier) | SETTINGS[settings]

    in_a_pod = resolved([relay], chosen | {"COLLECTOR_CONFIG_DIR": str(folder)})

    assert in_a_pod == resolved(files(tier), {**chosen, "COLLECTOR_CONFIG_DIR": str(COLLECTOR)})
    assert in_a_pod["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"] == "10.1.2.3:4317"


@pytest.mark.stack
@pytest.mark.parametrize("program", [SHIPPED, NEWEST])
@each_tier
def test_the_collector_accepts_them_with_the_variables_of_a_pod(tier: str, program: str, tmp_path: Path) -> None:
    relay, folder = as_in_a_pod(tier, tmp_path)
    if program == NEWEST:
        relay.write_text(without_routing(relay.read_text(encoding="utf-8")), encoding="utf-8")
    storage = {"COLLECTOR_CONFIG_DIR": str(folder), "COLLECTOR_STORAGE_PATH": str(tmp_path / "queue")}
    validate([relay], variables(tier) | storage, program)


@pytest.mark.stack
@each_tier
def test_a_pod_that_helm_renders_has_the_configuration_of_the_files(tier: str, tmp_path: Path) -> None:
    helm_program, chart = shutil.which("helm"), os.environ.get(CHART_VARIABLE)
    if helm_program is None or chart is None:
        pytest.skip(f"needs the program helm on PATH, and in {CHART_VARIABLE} the chart's folder or archive")
    pod = RenderedPod(tier, render(helm_program, chart, tier), tmp_path)

    assert pod.image == f"otel/opentelemetry-collector-contrib:{versions.COLLECTOR}"
    in_a_pod = resolved(pod.configs, pod.environment)
    assert in_a_pod == resolved(files(tier), {**variables(tier), "COLLECTOR_CONFIG_DIR": str(COLLECTOR)})
    validate(pod.configs, {**pod.environment, "COLLECTOR_STORAGE_PATH": str(tmp_path / "queue")})


CHART_VARIABLE = "HELM_CHART"


def render(helm_program: str, chart: str, tier: str) -> list[dict[str, Any]]:
    """Return the objects that Helm makes of the chart with a tier's values; AssertionError with what it says."""
    command = [helm_program, "template", helm.NAMES[tier], chart, f"--values={COLLECTOR / 'helm' / tier}-values.yaml"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return [rendered for rendered in yaml.safe_load_all(ended.stdout) if rendered]


class RenderedPod:
    """The Collector's container in what Helm has rendered, with the ConfigMaps that it mounts laid out in a folder."""

    def __init__(self, tier: str, objects: list[dict[str, Any]], folder: Path) -> None:
        [workload] = [each for each in objects if each["kind"].lower() == values(tier)["mode"]]
        spec = workload["spec"]["template"]["spec"]
        [container] = spec["containers"]
        self._folder = folder
        self.image = container["image"]
        maps = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
        volumes = {volume["name"]: volume["configMap"] for volume in spec["volumes"] if "configMap" in volume}
        for mount in container["volumeMounts"]:
            if mount["name"] in volumes:
                self._lay_out(mount["mountPath"], volumes[mount["name"]], maps)
        arguments = [*container.get("command", []), *container.get("args", [])]
        paths = [each.removeprefix("--config=") for each in arguments if each.startswith("--config=")]
        self.configs = [self._inside(path) for path in paths]
        self.environment = {
            entry["name"]: entry["value"].replace("$(MY_POD_IP)", "10.1.2.3")
            for entry in container["env"]
            if "value" in entry
        }
        self.environment["COLLECTOR_CONFIG_DIR"] = str(self._inside(self.environment["COLLECTOR_CONFIG_DIR"]))

    def _inside(self, path: str) -> Path:
        """Return where a path of the container is here."""
        return self._folder / path.lstrip("/")

    def _lay_out(self, mount_path: str, volume: dict[str, Any], maps: dict[str, dict[str, str]]) -> None:
        data = maps[volume["name"]]
        items = volume.get("items") or [{"key": key, "path": key} for key in data]
        self._inside(mount_path).mkdir(parents=True)
        for item in items:
            self._inside(f"{mount_path}/{item['path']}").write_text(data[item["key"]], encoding="utf-8")


@each_tier
def test_only_keys_that_the_chart_knows_are_used(tier: str) -> None:
    chosen = values(tier)
    assert set(chosen) <= KNOWN
    assert chosen["mode"] == {"agent": "daemonset", "gateway": "statefulset"}[tier]
    assert chosen["image"] == {"repository": "otel/opentelemetry-collector-contrib", "tag": versions.COLLECTOR}
    assert set(chosen["ports"]) == CHART_PORTS
    for port in chosen["ports"].values():
        assert set(port) <= PORT_KEYS
    assert "{{" not in str(chosen), "the chart would take it for a template"


@each_tier
def test_variables_are_read_and_the_queue_is_on_the_volume(tier: str) -> None:
    chosen = variables(tier)
    text = str(values(tier)["alternateConfig"]) + str(values(tier)["extraManifests"])
    assert set(chosen) - {"GOGC"} <= set(re.findall(r"\$\{env:([A-Z0-9_]+)", text))
    [queue] = [mount for mount in values(tier)["extraVolumeMounts"] if mount["name"] == "queue"]
    assert Path(chosen["COLLECTOR_STORAGE_PATH"]).is_relative_to(queue["mountPath"])
    kept = [volume["name"] for volume in values(tier)["extraVolumes"]]
    claims = values(tier).get("statefulset", {}).get("volumeClaimTemplates", [])
    assert "queue" in kept + [claim["metadata"]["name"] for claim in claims]


@each_tier
def test_ports_and_probes_are_where_the_collector_listens(tier: str) -> None:
    chosen, ports = variables(tier), values(tier)["ports"]
    assert chosen["COLLECTOR_HEALTH_ENDPOINT"] == f"10.1.2.3:{PROBED_PORT}"
    assert chosen["COLLECTOR_OTLP_GRPC_ENDPOINT"] == f"10.1.2.3:{ports['otlp']['containerPort']}"
    assert chosen["COLLECTOR_OTLP_HTTP_ENDPOINT"] == f"10.1.2.3:{ports['otlp-http']['containerPort']}"
    assert chosen["COLLECTOR_METRICS_PORT"] == str(ports["metrics"]["containerPort"])


def test_agents_send_to_the_gateways_service() -> None:
    gateway = values("gateway")
    [exporter] = values("agent")["alternateConfig"]["exporters"]
    port = {"otlp_grpc": "otlp", "otlp_http": "otlp-http"}[exporter.partition("/")[0]]
    target = f"{gateway['fullnameOverride']}:{gateway['ports'][port]['servicePort']}"
    assert variables("agent")["COLLECTOR_GATEWAY_ENDPOINT"] == target


@each_tier
def test_settings_and_secrets_are_optional_and_named_in_the_readme(tier: str) -> None:
    readme = (COLLECTOR / "helm" / "README.md").read_text(encoding="utf-8")
    chosen = values(tier)
    [source] = chosen["extraEnvsFrom"]
    [secret] = [volume["secret"] for volume in chosen["extraVolumes"] if volume["name"] == "secrets"]
    assert source["configMapRef"]["optional"] is secret["optional"] is True
    assert f"`{source['configMapRef']['name']}`" in readme
    assert f"`{secret['secretName']}`" in readme
    asked = set(re.findall(r"COLLECTOR_[A-Z_]+", readme))
    every = set(re.findall(r"\$\{env:([A-Z0-9_]+)", "".join(str(values(each)) for each in TIERS)))
    assert asked <= every
    assert not asked & set(variables(tier)), "what a pod sets itself cannot be set by a ConfigMap"


@each_tier
def test_pods_have_no_rights(tier: str) -> None:
    chosen = values(tier)
    assert chosen["podSecurityContext"]["runAsNonRoot"] is True
    assert chosen["securityContext"]["readOnlyRootFilesystem"] is True
    assert chosen["securityContext"]["capabilities"] == {"drop": ["ALL"]}
