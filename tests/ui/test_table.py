"""The list of runs as a table, in a real Chromium: columns, sorting, filters, keys, groups, CSV, deletion."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect
from pyarrow import parquet

from synapse_otel.journal.folder import run_folders
from tests.runs.runs import environment
from tests.ui.conftest import JOBS, Serving, record, tell
from tests.ui.pages import clean_page
from tests.ui.test_browser import _violations
from tools.chromium import chromium

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed here"),
]

RUNS = [("0.1", "sgd", "0.4"), ("0.01", "adam", "0.2"), ("0.001", "adam", "0.3"), ("0.0001", "=1+1", "0.9")]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs with several values of their parameters: nobody writes to it."""
    root = tmp_path_factory.mktemp("swept")
    for number, given in enumerate(RUNS):
        command = [sys.executable, str(JOBS), "swept", str(number), *given]
        subprocess.run(command, env=environment(root), check=True, timeout=60)
    return root


@pytest.fixture(scope="module")
def swept_address(swept: Path) -> Iterator[str]:
    serving = Serving()
    yield serving(swept)
    serving.end()


@pytest.fixture
def page(browser: Browser, swept_address: str) -> Iterator[Page]:
    with clean_page(browser) as opened:
        opened.goto(swept_address)
        expect(opened.locator("[data-run]")).to_have_count(4)
        yield opened


def names(page: Page) -> list[str]:
    return page.locator("[data-run] .cell-name > a").all_text_contents()


def choose(page: Page, *columns: str) -> None:
    """Show these columns, and of parameters and metrics no others."""
    page.get_by_role("button", name="Columns").click()
    for column in page.locator(".chooser fieldset:not(:first-of-type) input:checked + span").all_inner_texts():
        page.locator(".chooser").get_by_label(column, exact=True).uncheck()
    for column in columns:
        page.locator(".chooser").get_by_label(column, exact=True).check()
    page.get_by_role("button", name="Columns").click()


def test_parameters_that_differ_and_metrics_are_there_without_being_chosen(page):
    heads = page.locator("thead th")
    at_first = ["State", "Run", "Progress", "lr", "optimizer", "val/loss", "Started ↓", "Duration", "Pending"]
    expect(heads).to_have_text(["Choose", *at_first])
    choose(page)
    expect(heads).to_have_text(["Choose", "State", "Run", "Progress", "Started ↓", "Duration", "Pending"])
    page.reload()
    expect(heads).to_have_count(7)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("button", name="Reset").click()
    expect(heads).to_have_text(["Choose", *at_first])
    expect(page).not_to_have_url(re.compile("columns"))


def test_columns_are_chosen_sorted_by_their_heads_and_remembered_in_the_address(page):
    choose(page, "lr", "optimizer", "val/loss", "val/loss max", "Tags", "Host")
    heads = page.locator("thead th").all_text_contents()
    assert heads[-6:] == ["lr", "optimizer", "val/loss", "val/loss max", "Tags", "Host"]
    first = page.locator("[data-run]").filter(has_text="sweep-0")
    assert first.locator("td").all_text_contents()[-6:-1] == ["0.1", "sgd", "0.4", "1.4", "sweep"]
    page.get_by_role("button", name="val/loss", exact=True).click()  # the best one first
    expect(page.locator("thead th[aria-sort=ascending]")).to_contain_text("val/loss")
    assert names(page) == ["sweep-1", "sweep-2", "sweep-0", "sweep-3"]
    page.get_by_role("button", name="val/loss", exact=True).click()
    expect(page.locator("thead th[aria-sort=descending]")).to_contain_text("val/loss")
    assert names(page) == ["sweep-3", "sweep-0", "sweep-2", "sweep-1"]
    page.get_by_role("button", name="val/loss", exact=True).click()
    page.get_by_label("Filter runs").fill("lr<0.1")
    expect(page.locator("[data-run]")).to_have_count(3)
    expect(page).to_have_url(re.compile("[?&]q=lr"))
    address = page.url
    other = page.context.browser.new_context()
    elsewhere = other.new_page()
    other.add_cookies(page.context.cookies())
    elsewhere.goto(address)
    expect(elsewhere.locator("[data-run]")).to_have_count(3)
    expect(elsewhere.get_by_label("Filter runs")).to_have_value("lr<0.1")
    assert names(elsewhere) == ["sweep-1", "sweep-2", "sweep-3"]
    assert elsewhere.locator("thead th").all_text_contents()[-6:-4] == ["lr", "optimizer"]
    other.close()
    page.goto(address.split("#")[0])  # without the view: this browser remembers it
    expect(page.locator("[data-run]")).to_have_count(3)
    assert page.url == address


def test_expressions_filter_and_a_mistake_is_marked_at_its_place(page):
    box = page.get_by_label("Filter runs")
    for text, found in [
        ("lr>0.005 loss<0.4", ["sweep-1"]),
        ("optimizer=adam -lr=0.01", ["sweep-2"]),
        ("tag:sweep loss.max>1.8", ["sweep-3"]),
        ("state:done val/loss>=0.4", ["sweep-3", "sweep-0"]),
        ("sweep-2", ["sweep-2"]),
    ]:
        box.fill(text)
        expect(page.locator("[data-run]")).to_have_count(len(found))
        assert names(page) == found, text
    box.fill("sweep los<0.4")
    expect(page.get_by_role("alert")).to_contain_text("no run has los; the nearest is loss")
    expect(page.locator(".filter-mistake mark")).to_have_text("los")
    box.fill("sweep loss<low")
    expect(page.locator(".filter-mistake mark")).to_have_text("low")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[data-run]")).to_have_count(4)


def test_the_state_in_a_filter_is_the_one_that_the_list_shows(page, address):
    page.goto(address)
    pills = page.locator("[data-run] .pill")
    expect(pills).to_have_count(4)
    for text, words in [("state:done", ["done", "done"]), ("-state:done -state:crashed", ["failed"])]:
        page.get_by_label("Filter runs").fill(text)
        expect(pills).to_have_text(words)


def test_keys_move_choose_filter_and_open(page):
    page.keyboard.press("/")
    expect(page.get_by_label("Filter runs")).to_be_focused()
    page.keyboard.type("adam j")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Filter runs")).to_have_value("adam j")
    page.get_by_label("Filter runs").fill("")
    page.keyboard.press("Escape")
    links = page.locator("[data-run] .cell-name > a")
    page.keyboard.press("j")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press(" ")
    expect(page.locator("[data-run]").nth(1).get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("sweep-2")


def test_a_click_anywhere_on_a_row_opens_it(page):
    page.locator("[data-run]").nth(3).locator(".cell-duration").click()
    expect(page.locator("h1")).to_have_text("sweep-0")
    page.go_back()
    expect(page.locator("[data-run]")).to_have_count(4)


def test_groups_have_a_count_the_best_value_and_the_mean(page):
    choose(page, "val/loss", "val/loss max")
    page.get_by_label("Group by").select_option("param.optimizer")
    groups = page.locator(".group-row")
    expect(groups).to_have_count(3)
    expect(page.locator("[data-run]")).to_have_count(0)
    adam = groups.filter(has_text="adam")
    expect(adam).to_contain_text("2 runs")
    assert adam.locator("td").all_text_contents()[-2:] == ["0.2 mean 0.25", "1.3 mean 1.25"]
    adam.get_by_role("button").click()
    assert names(page) == ["sweep-2", "sweep-1"]


def test_what_is_shown_is_exported_as_csv_without_formulas(page, tmp_path):
    choose(page, "lr", "optimizer", "val/loss")
    page.get_by_label("Filter runs").fill("lr<0.1")
    expect(page.locator("[data-run]")).to_have_count(3)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="CSV").click()
    downloading.value.save_as(tmp_path / "runs.csv")
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert [(row["name"], row["param.lr"], row["param.optimizer"], row["metric.val/loss.last"]) for row in rows] == [
        ("sweep-3", "0.0001", "'=1+1", "0.9"),
        ("sweep-2", "0.001", "adam", "0.3"),
        ("sweep-1", "0.01", "adam", "0.2"),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", rows[0]["start"])


def test_what_is_shown_is_exported_as_parquet_with_types(page, tmp_path):
    choose(page, "lr", "optimizer", "val/loss", "Tags", "Ended")
    page.get_by_label("Filter runs").fill("lr<0.1")
    for _ in range(2):
        page.get_by_role("button", name="val/loss", exact=True).click()
    expect(page.locator("thead th[aria-sort=descending]")).to_contain_text("val/loss")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Parquet").click()
    assert downloading.value.suggested_filename == "runs.parquet"
    downloading.value.save_as(tmp_path / "runs.parquet")
    table = parquet.read_table(tmp_path / "runs.parquet")
    assert table.column_names == [
        *("id", "state", "name", "progress", "start", "duration", "pending"),
        *("param.lr", "param.optimizer", "metric.val/loss.last", "tags", "end"),
    ]
    assert table["name"].to_pylist() == ["sweep-3", "sweep-2", "sweep-1"]
    assert table["param.lr"].to_pylist() == [0.0001, 0.001, 0.01]
    assert table["param.optimizer"].to_pylist() == ["=1+1", "adam", "adam"]
    assert table["metric.val/loss.last"].to_pylist() == [0.9, 0.3, 0.2]
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["start"] == kinds["end"] == "timestamp[ns, tz=UTC]"
    assert (kinds["pending"], kinds["duration"], kinds["progress"], kinds["param.lr"]) == ("int64", *["double"] * 3)
    assert table["progress"].to_pylist() == [None] * 3


def test_without_pyarrow_the_page_names_the_extra(page, swept, served, tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(\"No module named 'pyarrow'\")")
    paths = os.pathsep.join((str(tmp_path), environment(swept)["PYTHONPATH"]))
    other = page.context.browser.new_context()
    without = other.new_page()
    without.goto(served(swept, PYTHONPATH=paths))
    expect(without.locator("[data-run]")).to_have_count(4)
    without.get_by_role("button", name="Parquet").click()
    expect(without.get_by_role("alert")).to_contain_text("pip install 'synapse-otel[parquet]'; csv needs nothing")
    other.close()


def test_runs_are_pinned_and_hidden(page):
    box = page.get_by_role("region", name="Chosen runs")
    page.get_by_label(re.compile("Choose sweep-0")).check()
    box.get_by_role("button", name="Pin").click()
    assert names(page)[0] == "sweep-0"
    box.get_by_role("button", name="Clear").click()
    page.get_by_label(re.compile("Choose sweep-2")).check()
    box.get_by_role("button", name="Hide").click()
    expect(page.locator("[data-run]")).to_have_count(3)
    page.reload()
    expect(page.locator("[data-run]")).to_have_count(3)
    assert names(page) == ["sweep-0", "sweep-3", "sweep-1"]
    page.get_by_role("button", name="Show 1 hidden").click()
    expect(page.locator("[data-run]")).to_have_count(4)


def test_a_run_is_deleted_when_that_was_confirmed_and_its_open_page_says_so(page, root, served):
    address = served(root)
    page.goto(address)
    rows = page.locator("[data-run]")
    expect(rows).to_have_count(4)
    crashed = rows.filter(has_text="coco")
    crashed.get_by_role("checkbox").check()
    watching = page.context.new_page()
    watching.goto(page.url.split("#")[0] + crashed.get_by_role("link").get_attribute("href"))
    expect(watching.locator(".run-work")).to_contain_text("coco")
    page.get_by_role("button", name="Delete").click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text(re.compile(r"Delete 1 run from this machine\?.*records are not delivered"))
    asked.get_by_role("button", name="Keep").click()
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Delete").click()
    page.keyboard.press("Escape")
    expect(asked).to_have_count(0)
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Delete").click()
    asked.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(3)
    assert len(list(run_folders(root))) == 3
    expect(watching.get_by_role("alert").filter(has_text="there is no such run")).to_be_visible()


def test_a_run_that_cannot_be_deleted_says_why(browser, steered, served):
    tell(steered, "progress 10")
    page = browser.new_context().new_page()
    page.goto(served(steered.root))
    page.locator("[data-run]").get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alert")).to_have_text("Not deleted: it is running")
    page.context.close()


# --- many runs and columns ------------------------------------------------------------------------------------

MANY = 100


@pytest.fixture(scope="module")
def many_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with many runs of many metrics."""
    root = tmp_path_factory.mktemp("many")
    record(root, "crowd", str(MANY))
    serving = Serving()
    yield serving(root)
    serving.end()


@pytest.fixture
def long_page(browser: Browser, many_address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.goto(many_address)
    expect(opened.get_by_role("status")).to_have_text(f"{MANY} runs", timeout=30_000)
    yield opened
    context.close()


def test_of_many_runs_those_in_sight_are_drawn_and_the_keys_reach_the_last(long_page):
    table = long_page.get_by_role("table")
    expect(table).to_have_attribute("aria-rowcount", f"{MANY + 1}")
    rows = long_page.locator("[data-run]")
    assert rows.count() < 60
    expect(rows.first).to_have_attribute("aria-rowindex", "2")
    long_page.keyboard.press("End")
    last = long_page.locator(f"[aria-rowindex='{MANY + 1}']")
    expect(last).to_be_in_viewport()
    assert rows.count() < 60
    box = long_page.locator(".runs").bounding_box()
    bottom = last.bounding_box()
    assert bottom["y"] + bottom["height"] == pytest.approx(box["y"] + box["height"], abs=20)
    expect(long_page.locator("thead th").first).to_be_in_viewport()
    long_page.keyboard.press("j")  # begins with the first row in sight
    first = int(long_page.locator(":focus").locator("xpath=ancestor::tr").get_attribute("aria-rowindex"))
    assert MANY - 20 < first < MANY
    for place in range(first + 1, MANY + 2):
        long_page.keyboard.press("j")
        expect(long_page.locator(f"[aria-rowindex='{place}'] .cell-name > a")).to_be_focused()
    for place in range(MANY, MANY - 30, -1):
        long_page.keyboard.press("k")
        focused = long_page.locator(f"[aria-rowindex='{place}'] .cell-name > a")
        expect(focused).to_be_focused()
        expect(focused).to_be_in_viewport()
    long_page.keyboard.press(" ")
    expect(long_page.get_by_role("region", name="Chosen runs")).to_contain_text("1 run chosen")


def test_who_comes_back_from_a_run_sees_the_same_rows(long_page):
    long_page.locator(".runs").evaluate("box => box.scrollTo(0, 3000)")
    link = long_page.locator("[aria-rowindex='55'] .cell-name > a")
    name = link.text_content()
    link.click()
    expect(long_page.locator("h1")).to_have_text(name)
    long_page.go_back()
    expect(long_page.locator("[aria-rowindex='55'] .cell-name > a")).to_be_in_viewport()
    expect(long_page.locator("[aria-rowindex='55'] .cell-name > a")).to_have_text(name)
    long_page.get_by_role("button", name="Run", exact=True).click()
    expect(long_page.locator("[aria-rowindex='2']")).to_be_in_viewport()


def test_of_many_columns_those_in_sight_are_drawn(long_page, many_address):
    metrics = [f"metric.class {c}/group{n % 7}/value{n}" for c in range(2) for n in range(10)]
    columns = [f"{name}.{which}" for name in metrics for which in ("last", "max")]
    asked = "%2C".join(quote(quote(key, safe=""), safe="") for key in ["state", "name", *columns])
    long_page.goto(f"{long_page.url.partition('#')[0]}#/?columns={asked}")
    expect(long_page.get_by_role("table")).to_have_attribute("aria-colcount", "43")
    heads = long_page.locator("thead th")
    assert heads.count() < 25
    long_page.locator(".runs").evaluate("box => box.scrollTo(box.scrollWidth, 0)")
    last = long_page.locator("thead th[aria-colindex='43']")
    expect(last).to_be_in_viewport()
    expect(last).to_have_text("class 1/group2/value9 max")
    expect(long_page.locator("[data-run]").first.locator("td[aria-colindex='43']")).to_have_text("18")
    expect(long_page.locator("[data-run] .cell-name > a").first).to_be_in_viewport()
    last.get_by_role("button").click()
    expect(last).to_have_attribute("aria-sort", "descending")
    column = long_page.locator("[aria-colindex='43']").all()[:3]
    assert len({cell.bounding_box()["x"] for cell in column}) == 1


def test_on_a_phone_cards_come_as_one_scrolls(browser, many_address):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(many_address)
    expect(page.get_by_role("status")).to_have_text(f"{MANY} runs", timeout=30_000)
    cards = page.locator("[data-run]")
    assert cards.count() < 60
    for _ in range(2):
        before = cards.count()
        cards.last.scroll_into_view_if_needed()
        expect(cards.nth(before)).to_be_attached()
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_in_the_table_with_all_its_parts(browser, swept_address, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(swept_address)
    expect(page.locator("[data-run]")).to_have_count(4)
    choose(page, "lr", "optimizer", "val/loss", "val/loss max", "Tags", "Host", "Revision", "Memory peak")
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Filter runs").fill("loss<low")
    page.get_by_role("checkbox", name=re.compile("Choose sweep-0")).check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = {"columns": _violations(page)}
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Group by").select_option("param.optimizer")
    page.locator(".group-row button").first.click()
    found["groups"] = _violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert {name: said for name, said in found.items() if said} == {}
