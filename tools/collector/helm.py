"""The values files for the official OpenTelemetry Collector chart: the same configuration in Kubernetes' terms.

The chart replaces its own configuration by `alternateConfig`, and lays it into one file; fragments/ comes as a
ConfigMap beside it, so that the same variables choose the same fragments as everywhere else. What a cluster sets itself
comes from a ConfigMap and a Secret of its own, both optional: a list in a second values file would replace ours.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from tools.collector.inputs import fragments, tier_configuration
from tools.stack import versions
from tools.stack.servers import GARBAGE_PERCENT

NAMES: Final = {"agent": "synapse-otel-agent", "gateway": "synapse-otel-gateway"}
CONFIG_DIR: Final = "/etc/otelcol"
QUEUE_VOLUME: Final = "/var/lib/otelcol"
USER: Final = 10001
"""Of the Collector's image."""
OTLP_PORTS: Final = {"otlp": 4317, "otlp-http": 4318}
METRICS_PORT: Final = 8888

_HEADS: Final = {
    "agent": """\
# Values of the OpenTelemetry Collector's chart for the agents: one on each node. Jobs send to their node's address.
#   helm install synapse-otel-agent open-telemetry/opentelemetry-collector -f agent-values.yaml
# Made by `python -m tools.collector helm` from the files of collector/: change those.
""",
    "gateway": """\
# Values of the OpenTelemetry Collector's chart for the gateways, each with its queue on a volume of its own.
#   helm install synapse-otel-gateway open-telemetry/opentelemetry-collector -f gateway-values.yaml
# Made by `python -m tools.collector helm` from the files of collector/: change those.
""",
}


def values_file(tier: str) -> str:
    """Return the text of collector/helm/{tier}-values.yaml."""
    return _HEADS[tier] + "\n" + yaml.dump(values(tier), Dumper=_Readable, sort_keys=False, width=120)


def values(tier: str) -> dict[str, Any]:
    """Return the chart's values for a tier."""
    return {
        **_kind(tier),
        "fullnameOverride": NAMES[tier],
        "image": {"repository": "otel/opentelemetry-collector-contrib", "tag": versions.COLLECTOR},
        "alternateConfig": tier_configuration(tier),
        "extraEnvs": [{"name": name, "value": value} for name, value in _variables(tier).items()],
        "extraEnvsFrom": [{"configMapRef": {"name": f"{NAMES[tier]}-settings", "optional": True}}],
        "ports": _ports(tier),
        "resources": {"limits": {"memory": "512Mi" if tier == "agent" else "2Gi"}},
        "podSecurityContext": {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "extraVolumes": _volumes(tier),
        "extraVolumeMounts": [
            {"name": "fragments", "mountPath": f"{CONFIG_DIR}/fragments", "readOnly": True},
            {"name": "secrets", "mountPath": f"{CONFIG_DIR}/secrets", "readOnly": True},
            {"name": "queue", "mountPath": QUEUE_VOLUME},
        ],
        "extraManifests": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"{NAMES[tier]}-fragments"},
                "data": fragments(),
            }
        ],
    }


def _kind(tier: str) -> dict[str, Any]:
    if tier == "agent":
        return {"mode": "daemonset", "initContainers": [_owner()]}
    claim = {
        "metadata": {"name": "queue"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}},
    }
    return {
        "mode": "statefulset",
        "replicaCount": 2,
        "statefulset": {"volumeClaimTemplates": [claim]},
        "podDisruptionBudget": {"enabled": True, "maxUnavailable": 1},
    }


def _owner() -> dict[str, Any]:
    """Return the container that hands a node's folder to the Collector's user: Kubernetes makes it for root."""
    return {
        "name": "queue-folder",
        "image": f"prom/prometheus:v{versions.PROMETHEUS}",
        "command": ["/bin/chown", f"{USER}:{USER}", QUEUE_VOLUME],
        "securityContext": {
            "runAsNonRoot": False,
            "runAsUser": 0,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN"]},
        },
        "volumeMounts": [{"name": "queue", "mountPath": QUEUE_VOLUME}],
    }


def _variables(tier: str) -> dict[str, str]:
    """Return the variables that follow from the pod itself; the cluster's settings cannot change these."""
    pod = "$(MY_POD_IP)"  # the chart sets it before these
    common = {
        "COLLECTOR_CONFIG_DIR": CONFIG_DIR,
        "COLLECTOR_STORAGE_PATH": f"{QUEUE_VOLUME}/queue",
        "COLLECTOR_OTLP_GRPC_ENDPOINT": f"{pod}:{OTLP_PORTS['otlp']}",
        "COLLECTOR_OTLP_HTTP_ENDPOINT": f"{pod}:{OTLP_PORTS['otlp-http']}",
        "COLLECTOR_HEALTH_ENDPOINT": f"{pod}:13133",
        "COLLECTOR_METRICS_HOST": pod,
        "COLLECTOR_METRICS_PORT": str(METRICS_PORT),
        "GOGC": GARBAGE_PERCENT,
    }
    if tier == "agent":
        return common | {"COLLECTOR_GATEWAY_ENDPOINT": f"{NAMES['gateway']}:{OTLP_PORTS['otlp']}"}
    return common


def _ports(tier: str) -> dict[str, Any]:
    """Return the ports that are open; the chart's own others are closed."""
    opened: dict[str, Any] = {}
    for name, port in OTLP_PORTS.items():
        opened[name] = {"enabled": True, "containerPort": port, "servicePort": port, "protocol": "TCP"}
        if tier == "agent":
            opened[name]["hostPort"] = port
    metrics = {"enabled": True, "containerPort": METRICS_PORT, "servicePort": METRICS_PORT, "protocol": "TCP"}
    closed = ("jaeger-compact", "jaeger-thrift", "jaeger-grpc", "zipkin")
    return opened | {"metrics": metrics} | {name: {"enabled": False} for name in closed}


def _volumes(tier: str) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "fragments", "configMap": {"name": f"{NAMES[tier]}-fragments"}},
        {
            "name": "secrets",
            "secret": {"secretName": f"{NAMES[tier]}-secrets", "optional": True, "defaultMode": 0o440},
        },
    ]
    if tier == "agent":
        volumes.append({"name": "queue", "hostPath": {"path": "/var/lib/synapse-otel", "type": "DirectoryOrCreate"}})
    return volumes


class _Readable(yaml.SafeDumper):
    """Long texts as blocks, nothing as a reference to something above."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's signature
        """Write everything where it stands."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Readable.add_representer(str, _text)
