"""The images of a run on its page, in a real Chromium: the gallery, full size, beside the record, in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.runs.runs import command
from tests.ui.conftest import Serving, record, tell
from tests.ui.pages import clean_page
from tests.ui.pictures import png
from tests.ui.test_browser import _violations
from tools.chromium import chromium

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed here"),
]

NAMED = "validation / epoch_0 \u2013 epoch_7"


@pytest.fixture(scope="module")
def seen_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that has logged images: nobody writes to it."""
    root = tmp_path_factory.mktemp("seen")
    record(root / "runs", "pictures", str(root / "pictures"))
    return root / "runs"


@pytest.fixture(scope="module")
def seen_address(seen_root: Path) -> Iterator[str]:
    serving = Serving()
    yield serving(seen_root, "seer")
    serving.end()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which no error happens."""
    with clean_page(browser) as opened:
        yield opened


def gallery(page: Page, named: str) -> Locator:
    return page.locator(f'[data-images="{named}"]')


def is_drawn(image: Locator) -> None:
    """Wait until an image has been loaded and decoded."""
    image.scroll_into_view_if_needed()
    image.evaluate("image => image.decode()")
    assert image.evaluate("image => image.naturalWidth") > 0


def test_samples_are_seen_beside_each_other_and_over_time_by_keyboard(page, seen_address):
    page.goto(seen_address)
    images = gallery(page, NAMED)
    expect(images.locator("img")).to_have_count(6)
    is_drawn(images.get_by_role("img", name="validation epoch_7, sample 2, label class 2, score 0.7"))
    slider = images.get_by_role("slider", name=f"Step of {NAMED}")
    expect(slider).to_have_attribute("aria-valuetext", "epoch_7 · " + slider.get_attribute("aria-valuetext")[10:])
    slider.focus()
    page.keyboard.press("ArrowLeft")
    is_drawn(images.get_by_role("img", name="validation epoch_6, sample 2"))
    page.keyboard.press("Home")
    is_drawn(images.get_by_role("img", name="validation epoch_0, sample 5"))
    expect(images.get_by_role("button", name=f"Earlier images of {NAMED}")).to_be_disabled()
    images.get_by_role("button", name=f"Later images of {NAMED}").click()
    expect(images.locator("output")).to_contain_text("epoch_1 · +")
    expect(images.locator("output")).to_contain_text("2 of 8")
    curves = gallery(page, "train / curve")
    expect(curves.locator("output")).to_contain_text("epoch 7 · +")
    is_drawn(curves.get_by_role("img", name="train curve, epoch 7"))


def test_an_image_is_seen_in_full_size_and_its_neighbours_by_keys(page, seen_address):
    page.goto(seen_address)
    opener = gallery(page, NAMED).get_by_role("button", name="validation epoch_7, sample 1, label class 1")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("h2")).to_have_text("validation / epoch_7, sample 1")
    is_drawn(dialog.locator("img"))
    expect(dialog).to_contain_text("7-1.png · 96 \u00d7 96, ")
    expect(dialog).to_contain_text("class 1")
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator("h2")).to_have_text("validation / epoch_6, sample 1")
    page.keyboard.press("ArrowDown")
    expect(dialog.locator("h2")).to_have_text("validation / epoch_6, sample 2")
    is_drawn(dialog.locator("img"))
    dialog.get_by_role("button", name="Actual size").click()
    expect(dialog.locator("img")).to_have_css("width", "96px")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(gallery(page, NAMED).get_by_role("button", name="validation epoch_6, sample 2")).to_be_focused()


def test_what_is_not_shown_says_why_and_a_replaced_file_is_shown_as_such(page, seen_address):
    page.goto(seen_address)
    odd = gallery(page, "odd / bad input")
    for sample, text in {
        "bomb.png": "60,000 by 60,000 pixels",
        "svg.png": "it can run script",
        "text.png": "as its content says",
        "gone": "not on this machine any more",
        "damaged": "its file is damaged",
        "replaced": "has changed since it was logged",
    }.items():
        figure = odd.locator("figure").filter(has=page.locator("b", has_text=sample))
        figure.scroll_into_view_if_needed()
        expect(figure).to_contain_text(text)
        expect(figure.locator("img")).to_have_count(0)
    odd.get_by_role("button", name="Show what is there now").click()
    is_drawn(odd.locator("img"))
    expect(odd.locator(".picture-mark")).to_have_text("changed since")


def test_an_image_stands_beside_its_record_and_a_file_that_is_none_says_nothing(page, seen_address):
    page.goto(seen_address)
    box = page.locator(".records")
    box.get_by_label("Search messages").fill("epoch=3 curve")
    expect(box.locator(".record .icon-image")).to_have_count(1)
    box.locator(".record").first.click()
    chosen = box.get_by_role("region", name="The chosen record")
    is_drawn(chosen.get_by_role("img", name="train curve, epoch 3"))
    chosen.get_by_role("button", name="train curve, epoch 3: full size").click()
    is_drawn(page.get_by_role("dialog").locator("img"))
    page.get_by_role("button", name="Close", exact=True).last.click()
    box.get_by_label("Search messages").fill("weights.pt")
    expect(box.locator(".record")).to_contain_text("weights.pt")
    with page.expect_response("**/images/info?*"):
        box.locator(".record").first.click()
    expect(chosen).to_contain_text("weights.pt")
    expect(box.locator(".record-image, .record .icon-image")).to_have_count(0)


def test_text_metrics_are_one_line_and_folded_among_the_messages(page, seen_address):
    page.goto(seen_address)
    expect(page.locator('.texts [data-metric="phase"]')).to_contain_text("train / phase · 8 values")
    expect(page.locator('.texts [data-metric="phase"] dd')).to_have_text("fine")
    box = page.locator(".records")
    expect(box.get_by_role("status")).to_have_text("65 records")
    expect(box).not_to_contain_text("phase=warm-up")
    box.get_by_label("Text metrics (8)").check()
    expect(box.get_by_role("status")).to_have_text("73 records")
    expect(box).to_contain_text("phase=warm-up")
    box.get_by_label("Text metrics (8)").uncheck()
    box.get_by_label("Search messages").fill("warm-up")
    expect(box.locator(".record")).to_have_count(3)


def test_images_of_a_job_that_runs_appear_by_themselves(page, served, steered, tmp_path):
    page.goto(served(steered.root, "steered"))
    expect(page.locator("h1")).to_have_text("train-steered-job-steered")
    expect(page.locator("#images")).to_have_count(0)
    path = tmp_path / "boxes.png"
    for number in range(3):
        path.write_bytes(png(30 + number, 20, (80 * number, 40, 120)))
        tell(steered, f"image {path}")
        tell(steered, f"phase phase {number}")
        image = page.locator("#images img")
        expect(image).to_have_attribute("width", str(30 + number))
        is_drawn(image)
        expect(page.locator(".texts dd")).to_have_text(f"phase {number}")
    page.reload()
    page.get_by_role("button", name="Earlier images of val / boxes").click()
    expect(page.locator("#images figure")).to_contain_text("has changed since it was logged")


def test_the_pages_file_holds_its_images_and_says_which_are_left_out(page, seen_root, tmp_path):
    target = tmp_path / "run.html"
    assert command(seen_root, "export", "seer", "-o", str(target)).returncode == 0
    page.context.set_offline(offline=True)
    page.goto(target.as_uri())
    expect(page.get_by_text("57 of 62 images are in this file; 5 cannot be shown")).to_be_visible()
    images = gallery(page, NAMED)
    is_drawn(images.locator("img").first)
    images.get_by_role("slider").focus()
    page.keyboard.press("Home")
    is_drawn(images.get_by_role("img", name="validation epoch_0, sample 5"))
    odd = gallery(page, "odd / bad input")
    expect(odd).to_contain_text("has changed since it was logged")
    expect(odd.get_by_role("button", name="Show what is there now")).to_have_count(0)
    expect(page.locator(".records").get_by_role("status")).to_have_text("65 records")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_that_keeps_anybody_out_of_images(browser, seen_address, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(seen_address)
    images = gallery(page, NAMED)
    is_drawn(images.locator("img").first)
    gallery(page, "odd / bad input").scroll_into_view_if_needed()
    expect(gallery(page, "odd / bad input").locator(".picture.none")).to_have_count(6)
    page.locator(".record.event").first.click()
    is_drawn(page.locator(".record-image img"))
    found = {"page": _violations(page)}
    images.locator("button.picture").first.click()
    is_drawn(page.get_by_role("dialog").locator("img"))
    found["dialog"] = _violations(page)
    page.get_by_role("button", name="Actual size").click()
    found["actual size"] = _violations(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert {name: said for name, said in found.items() if said} == {}
