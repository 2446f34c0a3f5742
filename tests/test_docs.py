"""README.md and docs/: their tables follow the code, and what they name exists. Their code: `tests/docs/`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from synapse_otel import semconv
from synapse_otel.plugins.actions import add_task_data, export, inference, train, upload
from synapse_otel.semconv import prometheus
from tests.docs.examples import FENCE, PAGES, TREE
from tools.docs import api, blocks
from tools.docs.interface import FILE, interface
from tools.docs.schemas import schema_files
from tools.docs.settings import known_variables
from tools.docs.tables import GENERATORS
from tools.docs.translate import anchor_of

pytestmark = pytest.mark.once


PICTURE_LIMIT = 200_000
"""Bytes: they are in git, and change whenever they are renewed."""

_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_VARIABLE = re.compile(r"\b((?:SYNAPSE_OTEL|OTEL)_[A-Z0-9_]*[A-Z0-9])\b(?!_?\*)")
_NAME = re.compile(r"\bsynapse\.[a-z0-9_]+(?:\.[a-z0-9_]+)*(?:\.\*)?")
_SERIES = re.compile(r"\bsynapse_(?:job|step|category|metric|message|plugin|data|audience|event)[a-z_]*")
_PLACE = re.compile(r"(?<![\w.~])/(?:root|home|work|Users|tmp)/")
"""The beginning of a path on somebody's machine."""
_TARGET = re.compile(r"(?:`|^|&& )(?:[A-Z_]+=\S+ )*make ([a-z]+(?:-[a-z]+)*)", re.MULTILINE)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def relative(page: Path) -> str:
    return page.relative_to(TREE).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=relative)


def test_generated_blocks_are_up_to_date():
    assert [relative(page) for page, _ in blocks.changed(GENERATORS, TREE)] == [], "`make docs` writes them"


def test_the_interface_is_the_one_that_is_written_down():
    """A difference here is one for those who depend on us: docs/upgrades.md says in which release it may come."""
    assert interface().splitlines() == FILE.read_text(encoding="utf-8").splitlines(), "`make docs` writes it"


def test_the_schemas_of_what_commands_print_are_up_to_date():
    for path, text in schema_files():
        assert path.read_text(encoding="utf-8").splitlines() == text.splitlines(), "`make docs` writes it"


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
    for target in _LINK.findall(FENCE.sub("", text_of(page))):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            headings = [anchor_of(heading) for heading in _HEADING.findall(FENCE.sub("", text_of(found)))]
            assert anchor in {*headings, *API_ANCHORS}, target


API_ANCHORS = set(re.findall(r"^::: (\S+)$", api.api(), re.MULTILINE))
"""What the site makes of the names in docs/api.md."""


@every_page
def test_variables_exist(page: Path):
    assert set(_VARIABLE.findall(text_of(page))) - known_variables() == set()


@every_page
def test_names_stand_in_semconv(page: Path):
    families = (semconv.DATA_PREFIX, semconv.PARAMS_PREFIX)
    unknown = {name for name in _NAME.findall(text_of(page)) if not f"{name}.".startswith(families)} - emitted_names()
    assert unknown == set()


_TABLES = (*semconv.METRICS, *semconv.SELF_METRICS, *semconv.USAGE_METRICS, *semconv.VERIFY_METRICS, *semconv.EVENTS)


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


def test_every_picture_is_shown_and_small():
    """One for light is shown with its fellow for dark, which the site puts beside it."""
    shown = {name for page in PAGES for name in re.findall(r"images/([\w-]+\.\w+)", text_of(page))}
    shown |= {name.replace("-light.", "-dark.") for name in shown}
    pictures = list((TREE / "docs" / "images").iterdir())
    assert {picture.name for picture in pictures} == shown
    assert all(picture.stat().st_size < PICTURE_LIMIT for picture in pictures)
