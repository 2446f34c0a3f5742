"""The list of a thousand runs with fifty columns, against the same cells as a plain static HTML table."""

from __future__ import annotations

import html
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.sync_api import Browser, Page

from benchmarks.listing_runs import METRICS, PENDING, RUNS, params_of, record
from benchmarks.report import Bar, Table
from benchmarks.unmeasured import Unmeasured
from benchmarks.viewing import served
from tools.chromium import chromium, opened

ROUNDS: Final = 5
PAINT_SECONDS: Final = 1.0
SORT_SECONDS: Final = 0.1
COLUMNS: Final = [
    "state", "name",
    *(f"metric.val/metric_{number}.{which}" for number in range(METRICS) for which in ("last", "min", "max")),
    *(f"param.{name}" for name in params_of(0)),
    "progress", "start", "duration", "tags",
]  # fmt: skip
_STATIC: Final = "http://static.test/"
_FIRST_METRIC: Final = 2 + COLUMNS.index("metric.val/metric_0.last")
"""Place of its cells in a row, counted from 1, behind the box that chooses the run."""
_MEASURING: Final = """
window.drawn = () => new Promise(then => requestAnimationFrame(() => setTimeout(() => then(performance.now()))));
window.firsts = {};
const rules = RULES;
const look = () => {
  for (const name in rules) {
    if (!(name in firsts) && rules[name]()) {
      firsts[name] = null;
      drawn().then(time => { firsts[name] = time; });
    }
  }
};
new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
document.addEventListener('DOMContentLoaded', look);
"""
_RULES: Final = f"""{{
  rows: () => document.querySelector('.run-row[data-run]'),
  values: () => /\\d/.test(document.querySelector('.run-row td:nth-child({_FIRST_METRIC})')?.textContent ?? ''),
  whole: () => document.querySelector('.list-head [role=status]')?.textContent === '{RUNS:,} runs'
    && /\\d/.test(document.querySelector('.run-row td:nth-child({_FIRST_METRIC})')?.textContent ?? ''),
}}"""
_STATIC_RULES: Final = "{ whole: () => document.readyState !== 'loading' }"
_SORT: Final = """async key => {
  const head = document.querySelector(`thead [data-column="${key}"] .head`);
  const before = head.closest('th').ariaSort;
  const begun = performance.now();
  head.click();
  const ended = await drawn();
  if (head.closest('th').ariaSort === before) throw new Error('the table is not sorted');
  return ended - begun;
}"""
_FILTER: Final = """async text => {
  const box = document.querySelector('input.filter');
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(box, text);
  const begun = performance.now();
  box.dispatchEvent(new Event('input', { bubbles: true }));
  return await drawn() - begun;
}"""
_SCROLL: Final = """async () => {
  const frames = [];
  let last = await drawn();
  for (let at = 0; at < 120; at += 1) {
    scrollBy(0, 300);
    const now = await drawn();
    frames.push(now - last);
    last = now;
  }
  scrollTo(0, 0);
  await drawn();
  return frames;
}"""
_STATIC_SORT: Final = """async place => {
  const begun = performance.now();
  const body = document.querySelector('tbody');
  const rows = [...body.rows].map(row => [Number(row.cells[place].textContent), row]);
  body.append(...rows.sort((a, b) => b[0] - a[0]).map(([, row]) => row));
  return await drawn() - begun;
}"""


def listing() -> Table:
    """Measure.

    Raises:
        Unmeasured: there is no Chromium.
    """
    if chromium() is None:
        raise Unmeasured("no Chromium is installed here; CHROMIUM names one")
    with tempfile.TemporaryDirectory(prefix="synapse-otel-bench-") as place:
        root = Path(place)
        record(root)
        with opened() as browser:
            return measured(browser, root)


@dataclass
class _Found:
    """What was measured, in ms."""

    firsts: list[dict[str, float]] = field(default_factory=list)
    agains: list[dict[str, float]] = field(default_factory=list)
    sorts: list[float] = field(default_factory=list)
    filters: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    static_paints: list[float] = field(default_factory=list)
    static_sorts: list[float] = field(default_factory=list)


def measured(browser: Browser, root: Path) -> Table:
    """Return what a browser finds of the runs below a folder."""
    found, rows = _Found(), []
    for _ in range(ROUNDS):
        with served(root) as (address, _process):
            page = _page(browser, _RULES)
            found.firsts.append(_firsts(page, lambda page=page, address=address: page.goto(f"{address}{_view()}")))
            found.agains.append(_firsts(page, page.reload))
            found.sorts += [page.evaluate(_SORT, key) for key in (COLUMNS[2], COLUMNS[2], "name", COLUMNS[4])]
            found.filters += [page.evaluate(_FILTER, text) for text in ("s", "metric_3<100", "lr>0.01 tag:seed-1", "")]
            found.frames += page.evaluate(_SCROLL)
            rows = page.evaluate("fetch('api/runs').then(answer => answer.json())")
            page.context.close()
    _measure_static(browser, rows, found)
    return _table(found)


def _view() -> str:
    return "#/?columns=" + quote(",".join(quote(key, safe="") for key in COLUMNS), safe="")


def _page(browser: Browser, rules: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(_MEASURING.replace("RULES", rules))
    return page


def _firsts(page: Page, opens: Callable[[], Any]) -> dict[str, float]:
    """Open a page, and return in ms after its navigation when each of the rules first held for what was drawn."""
    opens()
    page.wait_for_function("() => 'whole' in firsts && Object.values(firsts).every(Boolean)", timeout=120_000)
    return page.evaluate("firsts")  # type: ignore[no-any-return]


def _measure_static(browser: Browser, rows: list[dict[str, Any]], found: _Found) -> None:
    """Add how long the same cells take as a table in a static page: to be drawn, and to be sorted."""
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(text)}' for text in _texts(row))}" for row in rows)
    heads = "".join(f"<th>{html.escape(key)}" for key in COLUMNS)
    text = f"<!doctype html><title>Runs</title><table><thead><tr>{heads}<tbody>{body}</table>"
    for _ in range(ROUNDS):
        page = _page(browser, _STATIC_RULES)
        page.route(_STATIC, lambda route: route.fulfill(body=text, content_type="text/html"))
        found.static_paints.append(_firsts(page, lambda page=page: page.goto(_STATIC))["whole"])
        found.static_sorts += [page.evaluate(_STATIC_SORT, 2 + at) for at in range(4)]
        page.context.close()


def _texts(row: dict[str, Any]) -> list[str]:
    """Return the cells of a run."""
    found = [row["word"], row["name"]]
    found += [f"{value:.4g}" for values in row["metrics"].values() for value in values]
    found += [str(value) for value in row["params"].values()]
    return [*found, "100%", str(row["start"]), str(row["last"] - row["start"]), ", ".join(row["tags"])]


def _table(found: _Found) -> Table:
    first, again = (
        {name: statistics.median(one[name] for one in all_) / 1e3 for name in all_[0]}
        for all_ in (found.firsts, found.agains)
    )
    sort, key, frame, static_paint, static_sort = (
        statistics.median(all_) / 1e3
        for all_ in (found.sorts, found.filters, found.frames, found.static_paints, found.static_sorts)
    )
    paint = first["values"]
    seconds = [
        ("a new server: the first rows are drawn", first["rows"], static_paint),
        ("a new server: their 50 columns are drawn", paint, static_paint),
        ("a new server: all runs are there", first["whole"], static_paint),
        ("once more: the first rows with 50 columns are drawn", again["values"], static_paint),
        ("once more: all runs are there", again["whole"], static_paint),
        ("a click on a head: the sorted rows are drawn", sort, static_sort),
        ("the same, at most", max(found.sorts) / 1e3, static_sort),
        ("a key in the filter: the rows that match are drawn", key, static_sort),
        ("the same, at most", max(found.filters) / 1e3, static_sort),
        ("a step of scrolling is drawn, median", frame, None),
        ("the same, at most", max(found.frames) / 1e3, None),
        ("the static table is drawn", static_paint, None),
        ("the static table is sorted and drawn", static_sort, None),
    ]
    rows = [(what, f"{one:.3f}", f"{one / peer:.2f}" if peer else "") for what, one, peer in seconds]
    bars = [
        Bar("list of 1,000 runs: first paint", f"{PAINT_SECONDS:g} s", f"{paint:.2f} s", paint <= PAINT_SECONDS),
        Bar("list of 1,000 runs: a sort", f"{SORT_SECONDS:g} s", f"{sort:.3f} s", sort <= SORT_SECONDS),
    ]
    notes = (
        f"{RUNS:,} runs, {RUNS - PENDING} of them delivered, {len(COLUMNS)} columns; median of {ROUNDS} new servers. "
        "The peer is a static page with the same cells in a plain table, sorted by moving its rows: its file is in "
        "memory, so its time is the browser's alone. It has all 50,000 cells; the page draws those in sight."
    )
    return Table("list", "The list as a table", ("what", "s", "over the static table"), rows, notes, bars)
