"""A run and a context show themselves in a notebook: static HTML, in which every text is escaped."""

from __future__ import annotations

from html.parser import HTMLParser

import nbclient
import nbformat
import pytest

from synapse_otel import read
from synapse_otel._card import Bar, card
from synapse_otel.plugins.context import RuntimeContext
from tests.read.jobs import EVIL
from tests.runs.runs import environment

pytestmark = pytest.mark.once


class Cells(HTMLParser):
    """The texts of a table's cells, and whether all that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.tags = [], [], set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)
        if tag in {"td", "strong"}:
            self.texts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts[-1] += data

    @property
    def rows(self):
        return dict(zip(self.texts[1::2], self.texts[2::2], strict=True))


def test_a_run_shows_itself(root):
    found = Cells(read.run("failing", folder=root)._repr_html_())
    assert found.tags == {"div", "strong", "table", "tbody", "tr", "td", "progress", "code"}
    assert found.texts[0] == "failing"
    assert found.rows["state"] == "done (failure)"
    assert found.rows["error"] == "RuntimeError"
    assert found.rows["notes"] == EVIL
    assert found.rows["params.lr"] == "0.25"
    assert found.rows["whole job"].strip() == "75%"
    assert found.rows["training.loss"] == "0.3333"
    assert found.rows[f"training.{EVIL}"] == "2"


def test_a_card_is_never_at_100_percent_before_all_is_done():
    assert "99%" in card("a", {}, [Bar("b", 0.9999)], {})


def test_a_context_without_a_job_begins_none():
    ctx = RuntimeContext()
    assert Cells(ctx._repr_html_()).rows == {"state": "no job"}
    assert ctx._job is None


CELLS = (
    f"""
import synapse_otel
from synapse_otel.loggers import NoOpLogger
entered = synapse_otel.job("train", plugin="yolo", name="night <b>", logger=NoOpLogger())
ctx = entered.__enter__()
ctx.set_progress(1, 4, "train <i>")
ctx.set_metrics({{"loss": 0.25, {EVIL!r}: 1}}, "train <i>")
ctx
""",
    "entered.__exit__(None, None, None); ctx",
    "from synapse_otel import read; read.run('night')",
    "read.table(read.runs('night'))",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What the cells of a notebook in a real kernel show."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(tmp_path_factory.mktemp("notebook")).items():
            patch.setenv(name, value)
        nbclient.NotebookClient(made, timeout=120, kernel_name="python3").execute()
    nbformat.validate(made)
    return [next(one["data"] for one in cell.outputs if one.output_type == "execute_result") for cell in made.cells]


def test_a_context_in_a_notebook_shows_its_job_as_it_is(outputs):
    running = Cells(outputs[0]["text/html"])
    assert running.texts[0] == "night <b>"
    assert running.rows["state"] == "running"
    assert running.rows["job"] == "train yolo"
    assert running.rows["train <i>"].strip().startswith("25% 1/4")
    assert running.rows["train <i>.loss"] == "0.25"
    assert running.rows[f"train <i>.{EVIL}"] == "1"
    assert Cells(outputs[1]["text/html"]).rows["state"] == "success"


def test_a_run_in_a_notebook_is_html_and_text(outputs):
    assert Cells(outputs[2]["text/html"]).rows["state"] == "done (success)"
    assert outputs[2]["text/plain"] == "<SavedRun 'night <b>': train yolo, done, success>"
    assert "<td>night &lt;b&gt;</td>" in outputs[3]["text/html"]
