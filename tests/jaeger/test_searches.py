"""Every search of docs/jaeger.md finds exactly the traces that it says, in a real Jaeger."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.jaeger.conftest import Jobs
from tools.docs.jaeger_jobs import END, KINDS, RunningJob, of_job, search
from tools.docs.trace_tree import rows
from tools.stack.stack import Stack

pytestmark = pytest.mark.stack

PAGE = (Path(__file__).parents[2] / "docs" / "jaeger.md").read_text(encoding="utf-8")
HEAD = "| to find | fill in | finds |\n|---|---|---|\n"
FIELD = re.compile(r"(Operation|Tags|Min Duration) `([^`]+)`")
ON_DISK = (
    "yaml:extensions::jaeger_storage::backends::disk::badger::ephemeral: true",
    "yaml:extensions::jaeger_query::storage::traces: disk",
    "yaml:exporters::jaeger_storage_exporter::trace_storage: disk",
)
"""What to add to collector/jaeger.yaml for Badger instead of memory."""
_UNITS = {"ms": 1_000, "s": 1_000_000}


@dataclass(frozen=True)
class Search:
    """A row of the page's table, its cells as they are typed into the search form."""

    wanted: str
    operation: str
    tags: str
    shortest: str
    finds: str

    def expected(self, jobs: Jobs) -> set[str]:
        if self.finds == "all":
            return {f"{kind}-1" for kind in KINDS}
        if self.shortest:
            number, unit = re.fullmatch(r"(\d+)([a-z]+)", self.shortest).groups()
            least = int(number) * _UNITS[unit]
            return {of_job(trace) for trace in jobs.ended.values() if self._takes(trace, least)}
        return set(self.finds.split(", "))

    def _takes(self, trace, least: int) -> bool:
        return any(row.name == self.operation and row.duration >= least for row in rows(trace))


def searches() -> list[Search]:
    table = PAGE.split(HEAD)[1].split("\n\n")[0]
    rows_of_cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    found = []
    for wanted, typed, finds in rows_of_cells:
        assert FIELD.sub("", typed).strip(", ") == "", f"not a field of the form: {typed}"
        fields = dict(FIELD.findall(typed))
        known = (fields.get(name, "") for name in ("Operation", "Tags", "Min Duration"))
        found.append(Search(wanted, *known, finds))
    return found


def as_tags(typed: str) -> dict[str, str]:
    """Return the tags of the form's field, which is in logfmt."""
    return dict(pair.split("=", 1) for pair in shlex.split(typed))


@pytest.mark.parametrize("row", searches(), ids=lambda row: row.wanted)
def test_a_search_of_the_docs_finds_what_it_says(jobs: Jobs, row: Search):
    found = search(jobs.jaeger, as_tags(row.tags), operation=row.operation, shortest=row.shortest)
    assert {of_job(trace) for trace in found} == row.expected(jobs)
    assert len(found) == len({trace["traceID"] for trace in found})


def test_a_search_for_nothing_that_is_there_finds_nothing(jobs: Jobs):
    assert search(jobs.jaeger, {"synapse.job.result": "timeout"}) == []
    assert search(jobs.jaeger, operation="publish", shortest="10m") == []


def test_the_usual_search_for_errors_finds_nothing_in_this_storage_as_the_docs_say(jobs: Jobs):
    assert search(jobs.jaeger, {"error": "true"}) == [], "Jaeger has been mended: let docs/jaeger.md say so"


def test_in_a_storage_on_the_disk_the_usual_search_finds_them(tmp_path: Path):
    with Stack(("agent", "gateway", "jaeger"), directory=tmp_path / "stack", configs={"jaeger": ON_DISK}) as stack:
        places = {"otlp": stack.otlp_http, "state": tmp_path}
        jobs = [RunningJob(kind, f"{kind}-1", **places, pause=False) for kind in ("good", "failed", "killed")]
        for job in jobs:
            with job:
                pass
        for job in jobs:
            job.trace(stack.jaeger, *END[job.kind])
        assert {of_job(trace) for trace in search(stack.jaeger, {"error": "true"})} == {"failed-1", "killed-1"}


def test_the_same_searches_without_a_page(jobs: Jobs):
    commands = re.search(r"```bash\n(curl .*?)```", PAGE, re.DOTALL)[1].splitlines()
    failed, long, operations = (json.loads(run(command, jobs))["data"] for command in commands)
    assert {of_job(trace) for trace in failed} == {"failed-1"}
    assert {of_job(trace) for trace in long} == {
        of_job(trace) for trace in jobs.ended.values() if rows(trace)[0].duration >= 1_000_000
    }
    assert "train cats" in {operation["name"] for operation in operations}


def test_the_spans_of_a_trace_without_those_that_mark_a_begin(jobs: Jobs):
    command = re.search(r"## Hiding.*?```bash\n(curl .*?)```", PAGE, re.DOTALL)[1]
    names = [row.name for row in rows(jobs.ended["good"])]
    assert "train cats (started)" in names
    assert sorted(run(command, jobs).splitlines()) == sorted(set(names) - {"train cats (started)"})


def run(command: str, jobs: Jobs) -> str:
    environment = {**os.environ, "JAEGER": jobs.jaeger, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout
