"""Pictures of VictoriaLogs' own page: what it shows of a real run of the demo, in a real Chromium."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from tools.chromium import opened
from tools.docs.blocks import ROOT
from tools.docs.demo_runs import make_run
from tools.stack.log_page import search_link
from tools.stack.polling import eventually
from tools.stack.query import log_records
from tools.stack.stack import Stack

PICTURES: Final = ROOT / "docs" / "images"
WIDTH: Final = 1280
LIST_HEIGHT: Final = 940
RECORD_HEIGHT: Final = 760
SHOWN: Final = "synapse.category,event_name,_msg"
"""What the list shows of a record, beside its time and its severity."""
FIELDS: Final = (
    "_time, severity_text, event_name, synapse.job.id, synapse.category, synapse.data.*, trace_id, log.record.uid"
)
"""What is shown of an opened record: as many fields as its box shows without scrolling, none of this machine."""
EVENT: Final = "best_so_far"
LAST: Final = "synapse.job.finished"
_DRAWN_MS: Final = 1000
"""Until the bars are drawn and what was clicked has moved, when the records are there."""


def write_log_pictures(folder: Path = PICTURES) -> list[Path]:
    """Run the demo against the real servers, search for it on the page, and return the pictures that were written.

    Raises:
        RuntimeError: there is no Chromium, the demo does not do what it is asked to, or a path of this machine shows.
        AssertionError: its records are not found within a minute.
        StackError, OSError: the servers cannot be built or started.
    """
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        with Stack(("agent", "gateway", "victorialogs"), directory=state / "stack") as stack:
            job = make_run(state / "synapse-otel", OTEL_EXPORTER_OTLP_ENDPOINT=stack.otlp_http)
            search = f'synapse.job.id:="{job}"'
            last = f"{search} event_name:={LAST}"
            eventually(lambda: log_records(stack.victorialogs, last, 0, time.time()), timeout=60)
            return [
                _list(stack, search, folder / "logs-job.png"),
                _record(stack, f'{search} event_name:="{EVENT}" | fields {FIELDS}', folder / "logs-record.png"),
            ]


def _list(stack: Stack, search: str, picture: Path) -> Path:
    with _page(stack, search, LIST_HEIGHT) as page:
        return _written(page, picture)


def _record(stack: Stack, search: str, picture: Path) -> Path:
    """Take the picture of an event of the plugin's own, opened."""
    with _page(stack, search, RECORD_HEIGHT, hide_chart="true") as page:
        page.get_by_text(EVENT, exact=True).first.click()
        page.get_by_text("synapse.data.epoch", exact=True).wait_for()
        return _written(page, picture)


@contextmanager
def _page(stack: Stack, search: str, height: int, **more: str) -> Iterator[Page]:
    """Open the page with what is found, without the column of filters."""
    with opened() as browser:
        context = browser.new_context(
            viewport={"width": WIDTH, "height": height},
            color_scheme="light",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        page = context.new_page()
        more = {"g0.relative_time": "last_5_minutes", "displayFields": SHOWN, **more}
        page.goto(search_link(stack.victorialogs, search, **more))
        page.get_by_text(EVENT, exact=True).first.wait_for()
        page.get_by_text("Hide filters").click()
        yield page


def _written(page: Page, picture: Path) -> Path:
    shown = page.inner_text("body")
    if any(re.search(rf"(?<![\w.]){re.escape(path)}/", shown) for path in (tempfile.gettempdir(), str(ROOT))):
        raise RuntimeError(f"{picture.name}: a path of this machine can be seen")
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.mouse.move(0, 0)
    page.wait_for_timeout(_DRAWN_MS)
    page.screenshot(path=picture)
    return picture
