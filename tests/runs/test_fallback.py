"""Runs in a fallback folder, which all jobs of a user share: each is listed under the folder that it was meant for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.journal.folder import read_run, run_folders
from synapse_otel.runs import known_runs
from synapse_otel.runs.live.index import RunIndex
from tests.runs.runs import environment
from tests.sink import Sink, body

_IN = """
import sys
from pathlib import Path
from synapse_otel.journal import folder
spare = Path(sys.argv.pop(1))
folder.spare_roots = lambda: [spare]
"""
_JOB = f"""{_IN}
import synapse_otel
from synapse_otel.loggers import NoOpLogger
with synapse_otel.job("train", plugin="yolo", name=sys.argv[1], logger=NoOpLogger()) as ctx:
    ctx.log_message("hello")
"""
_COMMAND = f"""{_IN}
from synapse_otel.cli import main
main()
"""


class Fallback:
    """Two folders of journals that cannot be made, and the fallback folder that both share."""

    def __init__(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        self.mine, self.theirs = tmp_path / "file" / "mine", tmp_path / "file" / "theirs"
        self.spare = tmp_path / "spare"

    def job(self, root: Path, name: str) -> None:
        """Run a job whose journal is meant for ``root``."""
        self._python(_JOB, root, name)

    def command(self, root: Path, *arguments: str, **variables: str) -> str:
        """Return what ``synapse-otel`` prints where ``root`` is the folder of journals."""
        return self._python(_COMMAND, root, *arguments, **variables)

    def _python(self, code: str, root: Path, *arguments: str, **variables: str) -> str:
        called = [sys.executable, "-c", code, str(self.spare), *arguments]
        done = subprocess.run(
            called, env=environment(root, **variables), check=False, timeout=60, capture_output=True, text=True
        )
        return done.stdout + done.stderr


@pytest.fixture
def fallback(tmp_path):
    found = Fallback(tmp_path)
    found.job(found.mine, "my-run")
    found.job(found.theirs, "their-run")
    assert len(list(run_folders(found.spare))) == 2
    return found


def test_only_the_runs_that_were_meant_for_a_folder_are_listed_under_it(fallback):
    for root, own, other in (
        (fallback.mine, "my-run", "their-run"),
        (fallback.theirs, "their-run", "my-run"),
    ):
        listed = fallback.command(root, "jobs")
        assert own in listed
        assert other not in listed
        assert f"no run {other!r}" in fallback.command(root, "show", other)
        assert fallback.command(root, "show").startswith(own)
        index = RunIndex([root, fallback.spare], stall_seconds=60)
        assert [index.get(name).row["name"] for name in index.ids()] == [own]


def test_the_fallback_folder_itself_lists_all(fallback):
    assert len(known_runs([fallback.spare])) == 2
    index = RunIndex([fallback.spare], stall_seconds=60)
    assert {index.get(name).row["name"] for name in index.ids()} == {"my-run", "their-run"}


def test_a_run_that_does_not_say_what_it_was_meant_for_is_listed_as_before(fallback):
    (theirs,) = (folder for folder in run_folders(fallback.spare) if read_run(folder).name == "their-run")
    run_file = theirs / "run.json"
    run_file.write_text(run_file.read_text().replace("meant_for", "unknown"))
    assert "their-run" in fallback.command(fallback.mine, "jobs")


def test_they_are_delivered_by_whoever_delivers(fallback):
    with Sink() as sink:
        fallback.command(fallback.mine, "sync", "--all", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
        messages = [record for record in sink.logs() if body(record) == "hello"]
    assert len(messages) == 2
