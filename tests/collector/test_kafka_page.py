"""Of collector/kafka/: each variable is in docs/kafka.md with its default, and the Collector takes the files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.collector.kafka import PAGE
from tests.collector.otelcol import validate
from tools.collector.inputs import COLLECTOR, TIERS, variables
from tools.collector.versions import files

pytestmark = [pytest.mark.stack, pytest.mark.once]

KAFKA = COLLECTOR / "kafka"
OTHER_VALUES = {"COLLECTOR_KAFKA_TLS": "server", "COLLECTOR_KAFKA_AUTH": "sasl", "COLLECTOR_KAFKA_COMPRESSION": "lz4"}


def read() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(KAFKA.glob("*.yaml")))


def test_the_table_has_every_variable_with_its_default() -> None:
    rows = re.findall(r"^\| `(COLLECTOR_KAFKA_\w+)` \| (.*?) \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {(name, "" if default == "empty" else default.strip("`")) for name, default in rows}
    assert told == {(name, default) for name, default in variables(read()) if name.startswith("COLLECTOR_KAFKA_")}


@pytest.mark.parametrize("tier", list(TIERS))
def test_the_collector_accepts_the_files_with_their_variables_set_and_unset(tier: str, tmp_path: Path) -> None:
    sasl = tmp_path / "sasl.yaml"
    [example] = re.findall(r"```yaml\n(mechanism.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    sasl.write_text(example, encoding="utf-8")
    given = {name: default for name, default in variables(read()) if name.startswith("COLLECTOR_KAFKA_")}
    given |= OTHER_VALUES | {"COLLECTOR_KAFKA_SASL_FILE": str(sasl), "COLLECTOR_KAFKA_BROKERS": "a:1,b:2"}
    both = [*files(tier), KAFKA / f"{tier}.yaml"]
    validate(both)
    validate(both, given)
    with pytest.raises(AssertionError, match=r"auth_sasl_none\.yaml: no such file"):
        validate(both, given | {"COLLECTOR_KAFKA_TLS": "none"})


def test_every_file_is_read_by_a_tier() -> None:
    patterns = {
        re.sub(r"\$\{env:[A-Z_]+:-[^{}]*\}", "[a-z]+", name)
        for tier in TIERS
        for name in re.findall(r"/kafka/((?:\$\{[^{}]*\}|[^}{])+)\}", (KAFKA / f"{tier}.yaml").read_text("utf-8"))
    }
    parts = {path.name for path in KAFKA.iterdir()} - {f"{tier}.yaml" for tier in TIERS}
    assert parts
    assert [name for name in parts if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []
