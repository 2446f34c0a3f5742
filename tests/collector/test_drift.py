"""Nothing in collector/ can go its own way: names are semconv's, every file is one that its server accepts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.collector.otelcol import validate
from tools.collector import names
from tools.collector.__main__ import main
from tools.collector.inputs import COLLECTOR, TIERS, fragments, variables
from tools.collector.versions import NEWEST, SHIPPED, files_for
from tools.stack import versions
from tools.stack.build import build
from tools.stack.ports import KNOWN

ROOT = COLLECTOR.parent
OTHER_VALUES = {
    "COLLECTOR_TLS": "mutual",
    "COLLECTOR_AUTH": "token",
    "COLLECTOR_AGENT_QUEUE": "through",
    "COLLECTOR_GATEWAY_QUEUE": "through",
    "COLLECTOR_GATEWAY_SCHEME": "https",
    "COLLECTOR_GATEWAY_AUTH": "token",
    "COLLECTOR_GATEWAY_COMPRESSION": "zstd",
    "COLLECTOR_SINK_COMPRESSION": "gzip",
    "COLLECTOR_LATE_AFTER": "2h",
    "COLLECTOR_METRICS_WINDOW": "100h",
    "COLLECTOR_MARKERS": "drop",
    "COLLECTOR_SELF_TELEMETRY": "drop",
    "COLLECTOR_MEMORY_PERCENT": "60",
    "COLLECTOR_REDACT_ALSO": "internal-[0-9]+",
}
"""Of variables whose values are words, the one that is not the default."""
CHECKED_ELSEWHERE = {
    "alerts": "test_alerts",
    "backends": "test_backends, test_long_term",
    "helm": "test_helm",
    "kafka": "test_kafka, test_kafka_page",
    "manifest.yaml": "test_build_recipes",
    "manifest-newest.yaml": "test_build_recipes",
    "prometheus.yaml": "test_compose",
}

pytestmark = pytest.mark.once


def other(name: str, default: str, folder: Path) -> str:
    """Return a value that is not the default, of the kind that the default is."""
    if name.endswith("_TOKEN_FILE"):
        path = folder / name
        path.write_text('- "a-token"\n', encoding="utf-8")
        return str(path)
    kinds = {
        r"\d+": lambda: str(int(default) + 1),
        r"/.*|.* is not set|": lambda: str(folder / name),
        "off|https?:.*": lambda: "http://10.1.2.3:4318",
        r"127\.0\.0\.1": lambda: "10.1.2.3",
        r"[\d.]+:\d+": lambda: "10.1.2.3:4444",
        "info": lambda: "warn",
    }
    chosen = [value for pattern, value in kinds.items() if re.fullmatch(pattern, default)]
    assert name in OTHER_VALUES or chosen, f"{name}: give it a value in OTHER_VALUES"
    return OTHER_VALUES[name] if name in OTHER_VALUES else chosen[0]()


def read_by(tier: str) -> str:
    """Return all that a tier reads."""
    texts = [(COLLECTOR / name).read_text(encoding="utf-8") for name in TIERS[tier]]
    return "\n".join([*texts, *fragments().values()])


def test_every_name_in_collector_is_one_of_semconv() -> None:
    known = names.known(COLLECTOR)
    unknown = {(path.relative_to(COLLECTOR).as_posix(), name) for path, name in names.written(COLLECTOR)}
    assert {(path, name) for path, name in unknown if name not in known} == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('resource.attributes["synapse.tenant"]', "synapse.tenant"),
        ("sum by (synapse_plugin_name) (x)", "synapse_plugin_name"),
        ("- otel.sdk.log.created", "otel.sdk.log.created"),
        ("plugin:synapse_job_active:sum > 0", "plugin:synapse_job_active:sum"),
    ],
)
def test_names_are_found_wherever_they_are_written(text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text(text, encoding="utf-8")
    assert expected in {name for _, name in names.written(tmp_path)}


def test_an_unknown_name_is_not_known() -> None:
    assert not {"synapse.tennant", "synapse_job_item_total", "plugin:synapse_x:sum"} & names.known(COLLECTOR)


@pytest.mark.stack
@pytest.mark.parametrize("program", [SHIPPED, NEWEST])
@pytest.mark.parametrize("tier", list(TIERS))
def test_the_collector_accepts_each_tier_with_its_variables_set_and_unset(
    tier: str, program: str, tmp_path: Path
) -> None:
    given = {name: other(name, default, tmp_path) for name, default in variables(read_by(tier))}
    given["COLLECTOR_CONFIG_DIR"] = str(COLLECTOR)
    configs = files_for(program, tier, tmp_path)

    validate(configs, program=program)
    validate(configs, given, program)


@pytest.mark.stack
def test_jaeger_accepts_its_file_with_variables_set_and_unset(tmp_path: Path) -> None:
    path = COLLECTOR / "jaeger.yaml"
    found = variables(path.read_text(encoding="utf-8"))
    given = {name: other(name, default, tmp_path) for name, default in found}
    assert given
    for environment in ({}, given):
        command = [str(build(["jaeger"])["jaeger"] / "jaeger"), "validate", f"--config={path}"]
        ended = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 0, ended.stderr


def test_every_file_is_looked_at_by_its_server_in_some_test() -> None:
    checked = {f"{name}.yaml" for name in ("agent", "gateway", "routes", "jaeger")} | set(CHECKED_ELSEWHERE)
    present = {
        path.relative_to(COLLECTOR).parts[0] for path in COLLECTOR.rglob("*.yaml") if path.parent.name != "fragments"
    }
    assert present <= checked


def test_every_fragment_is_used() -> None:
    included = "".join((COLLECTOR / name).read_text(encoding="utf-8") for tier in TIERS.values() for name in tier)
    patterns = {
        re.sub(r"\$\{env:[A-Z_]+:-[^{}]*\}", "[a-z]+", name)
        for name in re.findall(r"/fragments/((?:\$\{[^{}]*\}|[^}{])+)\}", included)
    }
    for name in fragments():
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def test_prometheus_looks_for_its_targets_where_the_compose_file_has_them() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    listed = json.loads((COLLECTOR / "targets" / "collectors.json").read_text(encoding="utf-8"))
    assert {entry["labels"]["tier"]: entry["targets"] for entry in listed} == {
        tier: [f"{tier}:{dict(variables(read_by(tier)))['COLLECTOR_METRICS_PORT']}"] for tier in TIERS
    }
    log_store = json.loads((COLLECTOR / "targets" / "victorialogs.json").read_text(encoding="utf-8"))
    assert log_store == [{"targets": [f"victorialogs:{KNOWN['victorialogs'].port}"]}]
    for tier in TIERS:
        assert services[tier]["environment"]["COLLECTOR_METRICS_HOST"] == "0.0.0.0"
        assert "COLLECTOR_METRICS_PORT" not in services[tier]["environment"]


def test_versions_stand_once() -> None:
    values = {value for name, value in vars(versions).items() if name.isupper() and isinstance(value, str)}
    pattern = re.compile(rf"(?<![\d.])(?:{'|'.join(map(re.escape, sorted(values)))})(?![\d.])")
    held_to_them = {*COLLECTOR.glob("manifest*.yaml"), *(COLLECTOR / "helm").glob("*.yaml")}
    pages = [
        path for folder in (COLLECTOR, ROOT / "docs") for kind in ("yaml", "md") for path in folder.rglob(f"*.{kind}")
    ]
    again = {path for path in pages if pattern.search(path.read_text(encoding="utf-8"))}
    assert again - held_to_them == set()


def test_the_readme_names_the_versions_that_are_tested() -> None:
    """Without the last number: what it says holds for the release."""
    [section] = re.findall(
        r"^## Which Collector$(.*?)^## ", (COLLECTOR / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    for version in (versions.COLLECTOR, versions.COLLECTOR_NEWEST):
        assert re.search(rf"\b{re.escape(version.rpartition('.')[0])}\b", section), version


def test_images_in_helm_have_the_versions_of_the_stack() -> None:
    for path in (COLLECTOR / "helm").glob("*.yaml"):
        chosen = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert chosen["image"]["tag"] == versions.COLLECTOR
        for container in chosen.get("initContainers", []):
            assert container["image"].endswith(f":v{versions.PROMETHEUS}")


def test_the_check_says_which_generated_file_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert capsys.readouterr().out == ""
