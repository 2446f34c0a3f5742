"""The guide to Jaeger, Prometheus and Loki: each of its commands and queries, against the real servers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.docs.examples import TREE, blocks_of
from tools.stack.fetch import get_json
from tools.stack.polling import eventually
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

GUIDE = (TREE / "docs" / "guide-stack.md").read_text(encoding="utf-8")
EMPTY = ("nonfinite", "silence", "elapsed")
"""What asks for something that a demo does not have when it has ended."""
_ROW = re.compile(r"^\| .+? \| `(?P<query>[^`]+)`.* \|$", re.MULTILINE)


def curls() -> list[str]:
    blocks = [block.text for block in blocks_of(GUIDE) if block.language == "bash"]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def queries(language: str) -> list[str]:
    part = GUIDE.partition(f"| {language} |")[2].partition("\n\n")[0]
    return [match["query"].replace("\\|", "|") for match in _ROW.finditer(part)]


@pytest.fixture(scope="module")
def ids(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The ids of job and trace of a demo that was run as the guide says."""
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path_factory.mktemp("guide")),
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_http,
    }
    demo = [sys.executable, str(TREE / "examples" / "digits_demo.py")]
    said = subprocess.run(demo, env=environment, capture_output=True, text=True, check=True).stdout
    job, trace = re.search(r"\bjob +(demo-\w+)", said), re.search(r"\btrace +(\w{32})", said)
    assert job
    assert trace
    return job[1], trace[1]


@pytest.fixture
def adapted(stack: Stack) -> Callable[[str], str]:
    """What makes a command of the guide one for these servers."""
    own = {"localhost:16686": stack.jaeger, "localhost:9090": stack.prometheus, "localhost:3100": stack.loki}

    def adapt(command: str) -> str:
        for theirs, ours in own.items():
            command = command.replace(theirs, ours)
        return command

    return adapt


@pytest.mark.parametrize("command", curls(), ids=lambda command: command.partition("localhost")[2][:40])
def test_a_command_finds_the_job(command: str, ids: tuple[str, str], adapted, tmp_path: Path):
    job, trace = ids
    script = f"JOB={job}\nTRACE={trace}\n{adapted(command)}"

    def found() -> bool:
        answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        return holds(json.loads(answer)) and (job in answer or trace in answer)

    assert eventually(found, timeout=60, every=1)


@pytest.mark.parametrize("query", queries("PromQL"))
def test_a_query_of_prometheus_finds_what_the_demo_has(query: str, ids: tuple[str, str], stack: Stack):
    asked = query.replace('synapse_job_id="..."', f'synapse_job_id="{ids[0]}"')
    address = f"{stack.prometheus}/api/v1/query?{urlencode({'query': asked})}"
    if any(part in query for part in EMPTY):
        assert get_json(address)["status"] == "success"
    else:
        assert eventually(lambda: holds(get_json(address)), timeout=60, every=1)


@pytest.mark.parametrize("query", queries("LogQL"))
def test_a_query_of_loki_finds_what_the_demo_has(query: str, ids: tuple[str, str], stack: Stack):
    asked = query.replace('trace_id="..."', f'trace_id="{ids[1]}"')
    parameters = {"query": asked, "start": str(int((time.time() - 600) * 1e9))}
    address = f"{stack.loki}/loki/api/v1/query_range?{urlencode(parameters)}"
    assert eventually(lambda: holds(get_json(address)), timeout=60, every=1)


def holds(answer: dict) -> bool:
    """Say whether a backend's answer has anything in it."""
    data = answer["data"]
    return bool(data["result"] if isinstance(data, dict) else data)
