"""The page in a real Chromium: what a person sees and does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, expect

from synapse_otel.journal.folder import run_folders
from synapse_otel.journal.usage import OomKill, UsageWriter
from synapse_otel.runs import Recording
from tests.eventually import eventually
from tests.runs.runs import command, run
from tests.ui.conftest import only, record, tell
from tests.ui.pages import clean_page
from tests.usage.used import write as write_usage
from tools.chromium import chromium

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed here"),
]


_CUT_OFF = "net::ERR_FAILED"
"""What Chromium says where a test has cut the page off from its server."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no error happens, and none of whose texts is run."""
    with clean_page(browser, expected=_CUT_OFF) as opened:
        yield opened


def row(page: Page, text: str):
    return page.locator(".run-row[data-run]").filter(has_text=text)


def test_the_list_is_filtered_by_text_and_by_state(page, address):
    page.goto(address)
    assert "token" not in page.url
    expect(page.locator(".run-row[data-run]")).to_have_count(4)
    expect(row(page, "KeyError").locator(".pill")).to_have_text("failed")
    page.get_by_label("Filter runs").fill("coco")
    expect(page.locator(".run-row[data-run]")).to_have_count(1)
    expect(page.locator(".run-row[data-run] .pill")).to_have_text("crashed")
    page.get_by_label("Filter runs").fill("no such thing")
    expect(page.get_by_text("No run matches.")).to_be_visible()
    page.get_by_label("Filter runs").fill("")
    page.get_by_role("button", name="failed 1").click()
    expect(page.locator(".run-row[data-run]")).to_have_count(1)


def test_a_resumed_job_is_one_entry_whose_attempts_can_be_opened(page, served, tmp_path):
    for scenario in ("failure", "success"):
        run(tmp_path / "runs", scenario, SYNAPSE_OTEL_RUN_TAGS="baseline", SYNAPSE_OTEL_RUN_NOTES="two\nlines")
    page.goto(served(tmp_path / "runs"))
    rows = page.locator(".run-row[data-run]")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("train-yolo-job-4711 attempt 2 of 2")
    expect(rows.locator(".tag")).to_have_text("baseline")
    page.get_by_label("Filter runs").fill("KeyError")
    expect(rows.locator(".pill")).to_have_text("failed")  # an attempt that is looked for
    page.get_by_label("Filter runs").fill("tarin-yolo-job-4711")
    page.get_by_role("button", name="train-yolo-job-4711").click()
    rows.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("train-yolo-job-4711")
    expect(page.locator(".run-work")).to_contain_text("train yolo 1.2.0")
    expect(page.locator(".run-notes")).to_have_text("two\nlines")
    expect(page.locator(".run-ids")).to_contain_text("jobjob-4711")
    expect(page.locator(".run-ids")).to_contain_text(re.compile(r"trace[0-9a-f]{32}"))
    expect(page.locator(".run-attempts")).to_contain_text("2 done")
    page.locator(".run-attempts").get_by_role("link", name="1 failed").click()
    expect(page.locator(".failure h2")).to_have_text("KeyError")


def test_the_cause_of_a_failure_is_the_first_thing_on_its_page(page, address):
    page.goto(address)
    row(page, "KeyError").get_by_role("link").click()
    expect(page.locator(".failure h2")).to_have_text("KeyError")
    expect(page.locator(".stack")).to_contain_text('raise KeyError("no room")')
    expect(page.locator(".stack")).not_to_contain_text("orchestrator.py")
    page.get_by_role("button", name=re.compile("of libraries")).click()
    expect(page.locator(".stack")).to_contain_text("orchestrator.py")
    steps = page.locator(".waterfall li")
    expect(steps.filter(has_text="rollback")).to_have_count(3)
    expect(page.locator('[data-span="cached"]')).to_contain_text("skipped")
    page.locator('[data-span="rollback train"] .wf-open').click()
    expect(page.locator('[data-span="rollback train"]')).to_contain_text("because of export")


def test_records_are_searched_and_filtered(page, address):
    page.goto(address)
    row(page, "KeyError").get_by_role("link").click()
    box = page.locator(".records")
    expect(box.locator(".record")).to_have_count(7)
    box.get_by_label("Search messages").fill("slow DISK")
    expect(box.locator(".record")).to_have_count(1)
    expect(box.locator("mark").first).to_have_text("slow")
    box.get_by_label("Search messages").fill("")
    box.get_by_label("Audience").select_option("developer")
    expect(box.locator(".record")).to_have_count(2)
    box.get_by_label("Audience").select_option("all")
    box.get_by_label("Least level").select_option("error")
    expect(box.locator(".record")).to_have_count(2)
    box.locator(".record").first.click()
    expect(box.get_by_role("region", name="The chosen record")).to_contain_text("exception.stacktrace")


def test_a_job_is_seen_to_move_and_then_to_die(page, served, steered):
    tell(steered, "progress 10")
    page.goto(served(steered.root))
    live = row(page, "steered")
    expect(live.locator(".pill")).to_have_text("live")
    expect(live).to_contain_text("10%")
    expect(live).to_contain_text("0.7.0")
    live.get_by_role("link").click()
    expect(page.locator('[data-category="train"]')).to_contain_text("10/100")
    tell(steered, "progress 42")
    tell(steered, "say forty-two are done")
    tell(steered, "metric 0.5")
    # In less than a second behind the job; the machine may be busy.
    expect(page.locator('[data-category="train"]')).to_contain_text("42/100", timeout=3_000)
    expect(page.locator(".records")).to_contain_text("forty-two are done")
    expect(page.locator(".singles")).to_contain_text("0.5")
    tell(steered, "metric 0.125")
    expect(page.locator('[data-metric="loss"] .figure')).to_have_text("0.125")
    tell(steered, "die")
    steered.wait()
    expect(page.locator(".run-head .pill")).to_have_text("crashed", timeout=5_000)
    expect(page.locator(".failure")).to_contain_text("The process was killed")
    expect(page.locator(".failure")).to_contain_text("in train")
    expect(page.locator(".last-words")).to_contain_text("forty-two are done")
    page.get_by_role("link", name="All runs", exact=True).click()
    expect(row(page, "steered").locator(".pill")).to_have_text("crashed")


def test_a_run_that_begins_appears_by_itself(page, served, tmp_path):
    page.goto(served(tmp_path / "later"))
    expect(page.get_by_text("No run has been recorded here yet.")).to_be_visible()
    record(tmp_path / "later", "many", "3")
    expect(row(page, "talkative").locator(".pill")).to_have_text("done")


def test_runs_are_compared_in_one_chart(page, address):
    page.goto(address)
    for text in ("KeyError", "yolo 1.2.0"):
        page.locator(".run-row[data-run]").filter(has_text="yolo").filter(has_text=text).last.get_by_role(
            "checkbox"
        ).check()
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".compare thead th")).to_have_count(3)
    expect(page.locator('[data-metric="loss"] .legend')).to_have_count(2)
    expect(page.locator('[data-metric="loss"] canvas')).to_be_visible()


def test_curves_are_zoomed_smoothed_and_drawn_on_a_log_scale_by_keyboard_alone(page, address):
    page.goto(address)
    row(page, "KeyError").get_by_role("link").click()
    page.locator('[data-metric="loss"] .plot').focus()
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    page.keyboard.press("0")
    expect(page.get_by_role("button", name="Show all")).to_have_count(0)
    page.get_by_label("Log scale").check()
    page.get_by_label("Smoothing").focus()
    page.keyboard.press("End")
    expect(page.locator(".slider output")).to_have_text("0.99")
    page.get_by_label("Horizontal axis").select_option("n")
    expect(page.locator('[data-metric="loss"] canvas')).to_be_visible()


def sweep_page(page: Page, served, root: Path, runs: int = 2) -> None:
    """Open the comparison of all runs of a folder, and wait until each of them is read."""
    page.goto(served(root))
    expect(page.locator(".run-row[data-run]")).to_have_count(runs)
    for box in page.locator(".run-row[data-run]").get_by_role("checkbox").all():
        box.check()
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".compare thead th a")).to_have_count(runs)
    expect(page.locator('[data-metric="loss"]').first.locator(".legend > span:first-of-type")).to_have_count(runs)


def test_runs_are_told_apart_by_what_differs_and_drawn_over_their_steps(page, served, sweep_root):
    sweep_page(page, served, sweep_root)
    loss = page.locator('[data-metric="loss"]').first
    expect(loss).to_have_attribute("data-x", "step")
    expect(page.locator('[data-metric="loss"]').last).to_have_attribute("data-x", "epoch")
    expect(page.locator('[data-metric="step"]')).to_have_attribute("data-x", "time since start")
    assert sorted(loss.locator(".legend > span:first-of-type").all_inner_texts()) == ["lr=0.05", "lr=0.2"]
    expect(loss.locator(".legend.best")).to_contain_text("lr=0.2")
    expect(loss.locator(".legend.best")).to_contain_text("best")
    expect(page.locator(".compare td.best").first).to_contain_text("-0.0")
    page.get_by_label("Horizontal axis").select_option("metric:accuracy")
    expect(loss).to_have_attribute("data-x", "accuracy")
    expect(page.locator('[data-metric="epoch"]')).to_contain_text("not reported in one call with accuracy")


def test_a_legend_hides_its_run_everywhere(page, served, sweep_root):
    sweep_page(page, served, sweep_root)
    loss, accuracy = (page.locator(f'[data-metric="{name}"]').first for name in ("loss", "accuracy"))
    legend = loss.get_by_role("button", name="lr=0.2")
    expect(legend).to_have_attribute("aria-pressed", "true")
    canvas = loss.locator("canvas")
    expect(canvas).to_be_visible()
    before = _saved(page, loss, "CSV")
    legend.click()
    expect(accuracy.get_by_role("button", name="lr=0.2")).to_have_attribute("aria-pressed", "false")
    after = _saved(page, loss, "CSV")
    assert before.startswith("run,category,metric,step,unix_milliseconds,value\r\n")
    assert (before.count("\r\n"), after.count("\r\n")) == (121, 61)
    page.get_by_role("button", name="Show 1 hidden line").click()
    expect(legend).to_have_attribute("aria-pressed", "true")


_SAVED_EVERY = 0.5
"""Seconds between two charts that are saved: of some ten at once Chromium begins no further download for a while."""


def _saved(page: Page, card, kind: str) -> str:
    card.locator("summary").click()
    try:
        with page.expect_download() as download:
            card.get_by_role("button", name=kind, exact=True).click()
    except Error as error:
        raise AssertionError(f"{error}\n{card.inner_html()}") from None
    data = download.value.path().read_bytes()
    return repr(data[:8]) if kind == "PNG" else data.decode()


def test_outliers_and_the_vertical_range_are_chosen_and_a_chart_is_saved(page, served, sweep_root):
    sweep_page(page, served, sweep_root)
    loss = page.locator('[data-metric="loss"]').first
    eventually(lambda: ">400<" in _saved(page, loss, "SVG"), every=_SAVED_EVERY)
    page.get_by_label("Outliers").select_option("5")
    expect(loss).to_contain_text("outliers are outside of the chart")
    cut = _saved(page, loss, "SVG")
    assert ">400<" not in cut
    assert ">lr=0.05<" in cut
    assert ">step<" in cut
    loss.get_by_role("button", name="Enlarge loss").click()
    loss.get_by_label("Y to").press_sequentially("20")
    redraw = "one => { one.value = 5; one.dispatchEvent(new Event('input', { bubbles: true })); }"
    page.get_by_label("Smoothing").evaluate(redraw)
    page.locator(".tools").get_by_text("off").wait_for(state="detached")  # drawn again while somebody types
    expect(loss.get_by_label("Y to")).to_have_value("20")
    page.get_by_label("Smoothing").evaluate(redraw.replace("5", "0"))
    loss.get_by_label("Y to").press("Enter")
    eventually(lambda: ">20<" in _saved(page, loss, "SVG"), every=_SAVED_EVERY)
    assert _saved(page, loss, "PNG") == repr(b"\x89PNG\r\n\x1a\n")
    page.get_by_label("Log scale").check()
    expect(loss.locator("canvas")).to_be_visible()


def test_two_hundred_metrics_of_fifty_categories_are_folded_and_filtered(page, served, tmp_path):
    record(tmp_path, "wide", "50", "4")
    page.goto(served(tmp_path, "wide"))
    groups = page.locator(".fold-group")
    expect(groups).to_have_count(50)
    expect(page.locator(".chart")).to_have_count(12)
    page.get_by_role("button", name="class 49 4").click()
    expect(page.locator(".chart")).to_have_count(16)
    page.get_by_role("button", name="class 0 4").click()
    expect(page.locator(".chart")).to_have_count(12)
    page.get_by_label("Filter metrics").fill("^class [12]/.*value[03]$")
    expect(page.locator(".chart")).to_have_count(4)
    expect(page.locator(".fold-head")).to_have_count(0)
    page.get_by_label("Filter metrics").fill("VALUE3 class 48")
    expect(page.locator(".chart")).to_have_count(1)
    page.get_by_label("Filter metrics").fill("value(0|3)$")
    page.get_by_label("Groups").select_option("prefix")
    expect(groups).to_have_count(2)
    page.get_by_label("In one chart").select_option("group")
    expect(page.locator(".chart")).to_have_count(2)
    expect(page.locator(".chart").first.locator(".legend")).to_have_count(50)
    page.get_by_label("Filter metrics").fill("value(")
    expect(page.get_by_text("is no regular expression")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_long_category_leaves_the_name_of_its_metric(page, served, sweep_root):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(served(sweep_root, "sweep-1"))
    name = page.locator('[data-metric="epoch"] .metric-name')
    expect(name).to_be_visible()
    assert name.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_parameters_and_metrics_are_points_and_parallel_lines_and_runs_are_drawn_as_their_mean(page, served, tmp_path):
    for rate in ("0.05", "0.05", "0.2"):
        record(tmp_path, "sweep", rate)
    sweep_page(page, served, tmp_path, runs=3)
    related = page.get_by_role("region", name="Parameters and metrics")
    expect(related.locator("circle")).to_have_count(3)
    expect(related.get_by_role("img", name="min train / loss over lr of 3 runs")).to_be_visible()
    related.get_by_label("Y of the points").select_option("lr")
    places = [float(circle.get_attribute("cy")) for circle in related.locator("circle").all()]
    assert sorted(places) == [14, 214, 214]
    expect(related.get_by_role("img", name="2 parameters and metrics of 3 runs").locator(".parallel")).to_have_count(3)
    loss = page.locator('[data-metric="loss"]').first
    page.get_by_label("Runs", exact=True).select_option("by:lr")
    expect(loss.locator(".legend-mean")).to_have_count(2)
    expect(loss).to_contain_text("lr=0.05 (mean of 2), from the least to the most")
    drawn = _saved(page, loss, "SVG")
    assert drawn.count('fill-opacity="0.18"') == 1
    assert ">lr=0.2<" in drawn


def test_more_runs_than_colours_are_compared_in_dashes(page, served, tmp_path):
    for rate in range(1, 11):
        record(tmp_path, "sweep", f"{rate / 100}", "5")
    page.goto(served(tmp_path))
    rows = page.locator(".run-row[data-run]")
    expect(rows).to_have_count(10)
    ids = [one.get_attribute("data-run") for one in rows.all()]
    page.evaluate("ids => { location.hash = '#/compare/' + ids.join(',') }", ids)
    loss = page.locator('[data-metric="loss"]').first
    expect(loss.locator(".legend")).to_have_count(10)
    expect(loss.locator(".legend .dash-0")).to_have_count(8)
    expect(loss.locator(".legend .dash-1")).to_have_count(2)
    assert len(set(loss.locator(".legend > span:first-of-type").all_inner_texts())) == 10
    dashed = 'stroke-dasharray="7 4" stroke-width="1.6"'
    # Each run's curve is drawn when it has come.
    eventually(lambda: _saved(page, loss, "SVG").count(dashed) == 2, every=_SAVED_EVERY)


def test_marks_of_an_axis_are_told_apart_below_a_millisecond(page, served, tmp_path):
    record(tmp_path, "sweep", "0.1")
    page.goto(served(tmp_path, "sweep"))
    page.get_by_label("Horizontal axis").select_option("elapsed")
    loss = page.locator('[data-metric="loss"]').first
    expect(loss).to_have_attribute("data-x", "time since start")
    seen = []

    def is_fine() -> bool:
        loss.locator(".plot").press("+")
        svg = _saved(page, loss, "SVG")
        seen.append(re.findall(r'text-anchor="middle"[^>]*>([^<]*)<', svg)[:-1])
        return any("µs" in mark for mark in seen[-1])

    eventually(is_fine, every=_SAVED_EVERY)
    assert all(len(set(marks)) == len(marks) for marks in seen), seen


def test_two_fingers_zoom_a_curve_and_two_taps_show_all_of_it(browser, served, tmp_path):
    record(tmp_path / "runs", "many", "300")
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(served(tmp_path / "runs"))
    page.locator(".run-row[data-run] a").first.tap()
    expect(page.get_by_text("Pinch to zoom, double tap to show all")).to_be_visible()
    page.get_by_label("Horizontal axis").select_option("n")
    over = page.locator('[data-metric="value"] .u-over')
    whole = page.get_by_role("button", name="Show all")
    fingers = context.new_cdp_session(page)

    def middle() -> tuple[float, float] | None:
        """The middle of the curve; None while it is drawn anew, over the other axis."""
        try:
            over.scroll_into_view_if_needed()
            box = over.bounding_box()
        except Error:
            return None
        return box and (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def pinch() -> bool:
        where = middle()
        if where is None:
            return False
        for kind, apart in (("touchStart", 40), ("touchMove", 80), ("touchMove", 120), ("touchEnd", 0)):
            points = [{"x": where[0] - apart, "y": where[1]}, {"x": where[0] + apart, "y": where[1]}] if apart else []
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        return whole.is_visible()

    def tap_twice() -> bool:
        for _ in range(2):  # on a busy machine the second may come too late to be one of two
            where = middle()
            if where is None:
                return False
            page.touchscreen.tap(*where)
        return whole.is_hidden()

    eventually(pinch)
    assert page.evaluate("visualViewport.scale") == 1, "the page was zoomed, and not the curve"
    eventually(tap_twice)
    context.close()


def test_ten_thousand_records_are_a_list_that_is_drawn_where_one_looks(page, served, tmp_path):
    record(tmp_path / "many", "many", "10000")
    page.goto(served(tmp_path / "many", "talkative"))
    box = page.locator(".records-box")
    expect(page.locator(".records")).to_contain_text("10,002 records")
    assert page.locator(".record").count() < 100
    box.evaluate("element => { element.scrollTop = element.scrollHeight }")
    expect(box).to_contain_text("record number 9999")
    assert page.locator(".record").count() < 100
    page.get_by_label("Least level").select_option("error")
    expect(page.locator(".records")).to_contain_text("10 of 10,002")
    page.get_by_label("Least level").select_option("")
    page.get_by_label("Search messages").fill("number 7777")
    expect(page.locator(".records")).to_contain_text("1 of 10,002")
    page.locator(".record").first.focus()
    page.get_by_label("Search messages").fill("")
    expect(page.locator(".records")).to_contain_text("10,002 records")
    page.locator(".record").first.focus()
    page.keyboard.press("End")
    expect(box).to_contain_text("job ended")


@pytest.mark.parametrize("width", [1280, 390])
def test_texts_of_a_run_are_never_run_and_break_nothing(page, address, shelf_root, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    row(page, "evil").get_by_role("link").click()
    expect(page.locator("h1")).to_contain_text("<script>window.hacked = 1</script>")
    expect(page.locator(".records")).to_contain_text("message <script>")
    for record_ in page.locator(".record").all():
        record_.click()
    for step in page.locator(".wf-open").all():
        step.click()
    page.locator(".plot").first.hover()
    expect(page.locator("#about")).to_contain_text("onerror")
    assert page.evaluate("document.querySelectorAll('#app script, #app img').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    run = page.url.split("#/run/")[1]
    ended = command(shelf_root, "export", run, "-o", str(tmp_path / "evil.html"))
    assert ended.returncode == 0, ended.stderr
    page.goto((tmp_path / "evil.html").as_uri())
    expect(page.locator("h1")).to_contain_text("<script>window.hacked = 1</script>")


def test_what_a_run_used_is_drawn_beside_its_metrics_with_its_limits(page, served, tmp_path):
    assert run(tmp_path, "success") == 0
    folder = only(tmp_path)
    begin = Recording.read(folder).job.start
    write_usage(folder, begin, gpus=2)
    page.goto(served(tmp_path))
    page.locator(".run-row[data-run]").get_by_role("link").click()
    used = page.locator("#usage")
    expect(used.locator("[data-usage]")).to_have_count(7)
    expect(used.locator('[data-usage="memory"]')).to_contain_text("peak 1.5 GiB of 2 GiB")
    expect(used.locator('[data-usage="cpu"]')).to_contain_text("peak 1.9 of 2")
    expect(used.locator('[data-usage="gpu memory"]')).to_contain_text("GPU 1 2 GiB")
    expect(used).to_contain_text("CPU time 55.0 s")
    memory = used.get_by_role("img", name=re.compile("Curve of Memory"))
    drawn = memory.locator("canvas").screenshot()
    memory.focus()
    page.keyboard.press("+")
    expect(used.get_by_role("button", name="Show all")).to_be_visible()
    assert memory.locator("canvas").screenshot() != drawn
    page.keyboard.press("0")
    expect(used.get_by_role("button", name="Show all")).to_have_count(0)
    UsageWriter(folder).append(OomKill(begin))
    page.reload()
    expect(used.get_by_role("alert")).to_contain_text("out of memory")


def test_an_exported_page_does_all_that_needs_no_server(page, shelf_root, tmp_path):
    target = tmp_path / "run.html"
    assert command(shelf_root, "export", _failed(shelf_root), "-o", str(target)).returncode == 0
    page.context.set_offline(offline=True)
    page.goto(target.as_uri())
    expect(page.locator(".failure h2")).to_have_text("KeyError")
    expect(page.locator('[data-metric="loss"] canvas')).to_be_visible()
    page.get_by_label("Search messages").fill("disk")
    expect(page.locator(".record")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_an_exported_page_draws_over_steps_and_other_metrics(page, sweep_root, tmp_path):
    target = tmp_path / "run.html"
    run_ = next(iter(run_folders(sweep_root))).name
    assert command(sweep_root, "export", run_, "-o", str(target)).returncode == 0
    page.goto(target.as_uri())
    loss = page.locator('[data-metric="loss"]').first
    expect(loss).to_have_attribute("data-x", "step")
    steps = _saved(page, loss, "CSV").split("\r\n")[1:-1]
    assert [row.split(",")[3] for row in steps] == [str(1000 + 5 * step) for step in range(60)]
    page.get_by_label("Horizontal axis").select_option("metric:accuracy")
    expect(loss).to_have_attribute("data-x", "accuracy")
    rows = _saved(page, loss, "CSV").split("\r\n")[1:-1]
    assert len(rows) == 60
    assert [float(row.split(",")[3]) for row in rows] == sorted(float(row.split(",")[3]) for row in rows)


def _failed(root: Path) -> str:
    return next(folder.name for folder in run_folders(root) if Recording.read(folder).exceptions)


def test_dark_follows_the_system_and_can_be_chosen(page, address):
    dark, light = "rgb(15, 18, 22)", "rgb(246, 247, 249)"
    body = page.locator("body")
    page.emulate_media(color_scheme="dark")
    page.goto(address)
    expect(body).to_have_css("background-color", dark)
    page.get_by_role("button", name="Colours").click()
    expect(body).to_have_css("background-color", light)
    page.reload()
    expect(body).to_have_css("background-color", light)
    page.get_by_role("button", name="Colours").click()
    expect(body).to_have_css("background-color", dark)


def test_a_page_whose_server_is_gone_says_so(page, address):
    page.goto(address)
    expect(page.locator(".run-row[data-run]")).to_have_count(4)
    page.route("**/api/events*", lambda route: route.abort())
    row(page, "KeyError").get_by_role("link").click()
    expect(page.get_by_text("The server does not answer")).to_be_visible()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_that_keeps_anybody_out(browser, address, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(address)
    expect(page.locator(".run-row[data-run]")).to_have_count(4)
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).check()
    boxes.nth(1).check()
    found = {"list": _violations(page)}
    page.get_by_role("link", name="Compare").click()
    expect(page.locator(".compare thead th")).to_have_count(3)
    found["comparison"] = _violations(page)
    page.get_by_role("link", name="All runs", exact=True).click()
    row(page, "KeyError").get_by_role("link").click()
    expect(page.locator(".record")).to_have_count(7)
    page.locator(".record").first.click()
    page.locator(".wf-open").first.click()
    found["run"] = _violations(page)
    context.close()
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_in_the_charts_of_several_runs(browser, served, sweep_root, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    sweep_page(page, served, sweep_root)
    page.get_by_role("button", name="Enlarge loss").first.click()
    page.get_by_role("button", name="lr=0.2").first.click()
    page.get_by_label("Outliers").select_option("5")
    expect(page.get_by_text("outliers are outside of the chart").first).to_be_visible()
    page.locator(".chart summary").first.click()
    found = _violations(page)
    context.close()
    assert found == []


def _violations(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in violations]
