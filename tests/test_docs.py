"""README.md and docs/: their code runs, their tables follow the code, and what they name exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from synapse_otel.plugins.actions import add_task_data, export, inference, train, upload
from synapse_otel.signals import semconv
from tools.docs import blocks, prometheus
from tools.docs.settings import known_variables
from tools.docs.tables import GENERATORS

pytestmark = pytest.mark.once

TREE = Path(__file__).parents[1]
PAGES = blocks.pages(TREE)
NO_RUN_LIMIT = 2
"""Blocks that are not run are an exception."""

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\b((?:SYNAPSE_OTEL|OTEL)_[A-Z0-9_]*[A-Z0-9])\b(?!_?\*)")
_NAME = re.compile(r"\bsynapse\.[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?")
_SERIES = re.compile(r"\bsynapse_(?:job|step|category|metric|message|plugin|data|audience|event)[a-z_]*")
_PLACE = re.compile(r"(?<![\w.~])/(?:root|home|work|Users|tmp)/")
"""The beginning of a path on somebody's machine."""
_TARGET = re.compile(r"(?:`|^|&& )(?:[A-Z_]+=\S+ )*make ([a-z]+(?:-[a-z]+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code; ``name`` is the file that it is to be written to, if it says one."""

    language: str
    name: str
    text: str


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_of(page: Path) -> list[Block]:
    found = []
    for match in _FENCE.finditer(text_of(page)):
        language, _, name = match["info"].strip().partition(" ")
        found.append(Block(language, name, match["text"]))
    return found


def python_of(page: Path) -> list[Block]:
    return [block for block in code_of(page) if block.language == "python" and block.name != "no-run"]


def relative(page: Path) -> str:
    return page.relative_to(TREE).as_posix()


def run(command: list[str], folder: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(TREE / "src")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SYNAPSE_OTEL_JOURNAL_DIR": str(folder / "journals"),
        "SYNAPSE_OTEL_SHIPPER": "off",
        "CI": "true",
    }
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"


every_page = pytest.mark.parametrize("page", PAGES, ids=relative)


@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page)], ids=relative)
def test_code_runs(page: Path, tmp_path: Path):
    """The blocks of a page run one after the other in one process; those with a file name are files beside them."""
    parts = python_of(page)
    for part in parts:
        if part.name:
            (tmp_path / part.name).write_text(part.text, encoding="utf-8")
    (tmp_path / "page.py").write_text("\n".join(part.text for part in parts if not part.name), encoding="utf-8")
    run([sys.executable, "-W", "error", "page.py"], tmp_path)
    tests = [part.name for part in parts if part.name.startswith("test_")]
    if tests:
        run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_fixtures(), *tests], tmp_path)


def _fixtures() -> list[str]:
    from importlib.metadata import entry_points

    return [] if entry_points(group="pytest11", name="synapse_otel") else ["-p", "synapse_otel.testing"]


def test_few_blocks_are_not_run():
    left_out = [block for page in PAGES for block in code_of(page) if block.name == "no-run"]
    assert len(left_out) <= NO_RUN_LIMIT


def test_generated_blocks_are_up_to_date():
    assert [relative(page) for page, _ in blocks.changed(GENERATORS, TREE)] == [], "`make docs` writes them"


def test_everything_generated_is_shown():
    shown = [name for page in PAGES for name in blocks.names(text_of(page))]
    assert sorted(shown) == sorted(GENERATORS)


def test_a_stale_block_is_found():
    stale = "<!-- generated: levels -->\nold\n<!-- end: levels -->\n"
    assert "critical" in blocks.renewed(stale, GENERATORS)
    with pytest.raises(ValueError, match="nothing generates"):
        blocks.renewed(stale.replace("levels", "unknown"), GENERATORS)
    with pytest.raises(ValueError, match="begin"):
        blocks.renewed("<!-- generated: levels -->\n", GENERATORS)


@every_page
def test_links_lead_somewhere(page: Path):
    for target in _LINK.findall(_FENCE.sub("", text_of(page))):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            assert anchor in [_anchor(heading) for heading in _HEADING.findall(text_of(found))], target


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@every_page
def test_variables_exist(page: Path):
    assert set(_VARIABLE.findall(text_of(page))) - known_variables() == set()


@every_page
def test_names_stand_in_semconv(page: Path):
    families = (semconv.DATA_PREFIX, semconv.PARAMS_PREFIX)
    unknown = {name for name in _NAME.findall(text_of(page)) if not f"{name}.".startswith(families)} - emitted_names()
    assert unknown == set()


_TABLES = (*semconv.METRICS, *semconv.SELF_METRICS, *semconv.EVENTS)


def emitted_names() -> set[str]:
    listed = {one.key for one in semconv.ATTRIBUTES} | {one.name for one in _TABLES}
    contexts = (
        train.TrainContext,
        export.ExportContext,
        upload.UploadContext,
        inference.InferenceContext,
        inference.DeploymentContext,
        add_task_data.AddTaskDataContext,
    )
    return listed | {semconv.PRODUCT_PREFIX + name for context in contexts for name in context.PRODUCTS}


def test_queries_name_series_and_labels_that_exist():
    """The names that a query of the guide asks for are those that follow from what is sent."""
    series = {name for metric in semconv.METRICS for name in prometheus.series(metric)}
    labels = {prometheus.label(one.key) for one in semconv.ATTRIBUTES}
    asked = set(_SERIES.findall(text_of(TREE / "docs" / "guide-stack.md")))
    assert {name for name in asked - series - labels if not name.startswith("synapse_data_")} == set()


@pytest.mark.parametrize(
    ("metric", "names"),
    [
        (semconv.JOB_PROGRESS, ("synapse_job_progress_ratio",)),
        (semconv.JOB_ITEMS, ("synapse_job_items_total",)),
        (semconv.JOB_ETA, ("synapse_job_eta_seconds",)),
        (semconv.JOB_METRIC, ("synapse_job_metric",)),
        (semconv.JOB_ACTIVE, ("synapse_job_active",)),
    ],
)
def test_names_in_prometheus(metric: semconv.Metric, names: tuple[str, ...]):
    assert prometheus.series(metric) == names


@every_page
def test_make_targets_exist(page: Path):
    targets = set(re.findall(r"^([a-z-]+):", text_of(TREE / "Makefile"), re.MULTILINE))
    assert set(_TARGET.findall(text_of(page))) <= targets


@every_page
def test_pages_know_no_machine(page: Path):
    assert not _PLACE.search(text_of(page))


def test_pictures_refer_to_nothing_outside():
    for picture in (TREE / "docs" / "images").glob("*.svg"):
        text = text_of(picture)
        assert "url(http" not in text
        assert "@font-face" not in text
        assert "href=" not in text
        assert not _PLACE.search(text)
