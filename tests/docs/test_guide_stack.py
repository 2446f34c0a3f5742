"""The guide to Jaeger, Prometheus and VictoriaLogs: each of its commands, queries and links, on the real servers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect

from tests.docs.examples import TREE, blocks_of
from tests.stack import otlp
from tools.chromium import chromium
from tools.stack.fetch import get_json, get_text
from tools.stack.polling import eventually
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

needs_chromium = pytest.mark.skipif(
    chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed here"
)

GUIDE = (TREE / "docs" / "guide-stack.md").read_text(encoding="utf-8")
RUNBOOK = (TREE / "docs" / "runbook.md").read_text(encoding="utf-8")
EMPTY = ("nonfinite", "silence", "elapsed")
"""What asks for something that a demo does not have when it has ended."""
ERRORS = (">=17", "exception")
"""What asks for something that only a job has which failed."""
COPIES = "LogsQL to handle copies"
_ROW = re.compile(r"^\| .+? \| `(?P<query>[^`]+)`.* \|$", re.MULTILINE)


def curls() -> list[str]:
    blocks = [block.text for block in blocks_of(GUIDE) if block.language == "bash"]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


def queries(language: str) -> list[str]:
    part = GUIDE.partition(f"| {language} |")[2].partition("\n\n")[0]
    return [match["query"].replace("\\|", "|") for match in _ROW.finditer(part)]


def links() -> list[str]:
    """Return the guide's links into the page that name no job."""
    return re.findall(r"\]\((http://localhost:9428/\S+)\)", GUIDE)


def links_of_a_job() -> str:
    """Return the guide's commands that print links."""
    return next(block.text for block in blocks_of(GUIDE) if "echo" in block.text)


class Ids(NamedTuple):
    """A demo's job and trace."""

    job: str
    trace: str


@pytest.fixture(scope="module")
def ids(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Ids:
    """The ids of a demo that was run as the guide says, for a tenant."""
    return demo(stack, tmp_path_factory.mktemp("guide"))


@pytest.fixture(scope="module")
def failed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Ids:
    """The ids of a demo that failed in its training."""
    return demo(stack, tmp_path_factory.mktemp("guide"), "--fail", "train")


def demo(stack: Stack, state: Path, *arguments: str) -> Ids:
    environment = {
        **os.environ,
        "XDG_STATE_HOME": str(state),
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.otlp_http,
        "OTEL_RESOURCE_ATTRIBUTES": "synapse.tenant=acme",
    }
    command = [sys.executable, str(TREE / "examples" / "digits_demo.py"), *arguments]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == ("--fail" in arguments), ended.stderr
    job, trace = re.search(r"\bjob +(demo-\w+)", ended.stdout), re.search(r"\btrace +(\w{32})", ended.stdout)
    assert job
    assert trace
    return Ids(job[1], trace[1])


@pytest.fixture
def adapted(stack: Stack) -> Callable[[str], str]:
    """What makes a command or a link of the guide one for these servers."""
    own = {"localhost:16686": stack.jaeger, "localhost:9090": stack.prometheus, "localhost:9428": stack.victorialogs}

    def adapt(command: str) -> str:
        for theirs, ours in own.items():
            command = command.replace(f"http://{theirs}", ours).replace(theirs, ours)
        return command

    return adapt


@pytest.mark.parametrize("command", curls(), ids=lambda command: command.partition("localhost")[2][:40])
def test_a_command_finds_the_job(command: str, ids: Ids, adapted, tmp_path: Path):
    script = f"JOB={ids.job}\nTRACE={ids.trace}\n{adapted(command)}"

    def found() -> bool:
        answer = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        return all(map(holds, map(json.loads, answer.splitlines()))) and (ids.job in answer or ids.trace in answer)

    assert eventually(found, timeout=60, every=1)


@pytest.mark.parametrize("query", queries("PromQL"))
def test_a_query_of_prometheus_finds_what_the_demo_has(query: str, ids: Ids, stack: Stack):
    asked = query.replace('synapse_job_id="..."', f'synapse_job_id="{ids.job}"')
    address = f"{stack.prometheus}/api/v1/query?{urlencode({'query': asked})}"
    if any(part in query for part in EMPTY):
        assert get_json(address)["status"] == "success"
    else:
        assert eventually(lambda: holds(get_json(address)), timeout=60, every=1)


@pytest.mark.parametrize("query", queries("LogsQL"))
def test_a_query_of_victorialogs_finds_what_the_demo_has(query: str, ids: Ids, failed: Ids, stack: Stack):
    asked = filled(query, failed if any(part in query for part in ERRORS) else ids)
    assert eventually(lambda: records(stack, asked), timeout=60, every=1)


@pytest.mark.parametrize("query", [block.text for block in blocks_of(RUNBOOK) if block.language == "logsql"])
def test_a_query_of_the_runbook_is_answered(query: str, failed: Ids, stack: Stack):
    if any(part in query for part in EMPTY):
        assert records(stack, filled(query, failed)) == []
    else:
        assert eventually(lambda: records(stack, filled(query, failed)), timeout=60, every=1)


def test_copies_of_a_record_are_told_apart(stack: Stack):
    job, now = otlp.new_service(), time.time_ns()
    sent = otlp.logs(job, [otlp.record(now + number, f"record {number}") for number in range(3)])
    for number, record in enumerate(sent.resource_logs[0].scope_logs[0].log_records):
        record.attributes.extend(otlp.attributes({"synapse.job.id": job, "log.record.uid": f"{job}-{number}"}))
    otlp.send(stack.otlp_http, sent)
    otlp.send(stack.otlp_http, sent)
    copied = Ids(job, "")
    eventually(lambda: len(records(stack, filled('synapse.job.id:="..."', copied))) == 6, timeout=60)

    counted, repeated, once = (records(stack, filled(query, copied)) for query in queries(COPIES))

    assert counted == [{"records": "6", "different": "3"}]
    assert {one["log.record.uid"]: one["copies"] for one in repeated} == {f"{job}-{number}": "2" for number in range(3)}
    assert [one["_msg"] for one in once] == ["record 0", "record 1", "record 2"]


@needs_chromium
@pytest.mark.parametrize("link", links())
def test_a_link_shows_records(link: str, ids: Ids, failed: Ids, adapted, browser: Browser):
    shows(browser, adapted(link), ids.job if "developer" in link else failed.job)


@needs_chromium
def test_a_job_and_its_trace_have_links(ids: Ids, adapted, browser: Browser):
    script = f"JOB={ids.job}\nTRACE={ids.trace}\n{adapted(links_of_a_job())}"
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(printed) == 2
    for link in printed:
        shows(browser, link, "model ready: digits.joblib")


@needs_chromium
def test_the_link_that_make_stack_prints_shows_the_newest_messages(stack: Stack, failed: Ids, browser: Browser):
    shows(browser, stack.newest_logs, failed.job)


def shows(browser: Browser, link: str, text: str) -> None:
    """Assert that a link into the page shows a text in its list of records."""
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(link)
        expect(page.locator(".vm-group-logs").get_by_text(text).first).to_be_visible(timeout=30_000)
    finally:
        context.close()


def filled(query: str, ids: Ids) -> str:
    """Return a query of the documentation for this job."""
    for name, value in {"synapse.job.id:=": ids.job, "trace_id:=": ids.trace, "stream.service=": "digits"}.items():
        query = query.replace(f'{name}"..."', f'{name}"{value}"')
    return query


def records(stack: Stack, query: str) -> list[dict[str, str]]:
    answer = get_text(f"{stack.victorialogs}/select/logsql/query", [("query", query)])
    return [json.loads(line) for line in answer.splitlines()]


def holds(answer: dict[str, Any]) -> bool:
    """Say whether a backend's answer, or a record in it, has anything in it."""
    data = answer.get("data", answer)
    return bool(data.get("result", data) if isinstance(data, dict) else data)
