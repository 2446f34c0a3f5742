"""A run as one HTML file that needs nothing else: the page itself, and what it shows as JSON that is never executed."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any, Final

import msgspec

from synapse_otel.export.page_images import PageImages
from synapse_otel.runs.entries import most_telling
from synapse_otel.runs.live.details import along_of, details, metrics_named
from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.index import IndexedRun
from synapse_otel.runs.live.log_records import LogRecords
from synapse_otel.runs.live.samples import X_METRICS, Points

DATA_ID: Final = "synapse-otel-run"
"""Id of the element that holds what is shown."""
POINTS: Final = 20_000
"""Points of all curves together, about; beyond it, each is thinned out so that no peak is lost."""
HEAD: Final = 2_000
"""Bytes by which one is known."""
RECORDS: Final = 3_000
"""Log records at most: the first, the last, and of those between the warnings and errors."""
_EDGE: Final = 1_000


def page_file(
    one: IndexedRun,
    found: FollowedRun,
    *,
    script: str,
    style: str,
    images: int,
    jaeger_url: str | None = None,
) -> str:
    """Return the file: the run as its folder tells, with all that was read of it, and the page's script and style.

    ``images`` is how many bytes of images it may hold, ``jaeger_url`` the base address of Jaeger's web page, for links.
    """
    told = details(one, found, jaeger_url=jaeger_url) | {"version": 0, "reading": 1.0, "attempts": []}
    chosen = _records(found.logs)
    held = PageImages(one, found, images)
    if len(chosen) < len(found.logs):
        told["notes"].append(f"this file holds {len(chosen):,} of {len(found.logs):,} messages and events")
    if note := held.note():
        told["notes"].append(note)
    curves, means = _curves(found, [series["id"] for series in told["series"]])
    written = {
        "details": told,
        "curves": curves,
        "means": means,
        "records": [found.logs.told(at) for at in chosen],
        "images": held.written(),
    }
    title = escape(told["row"]["name"] or told["row"]["id"], quote=False)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="content-security-policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title} · synapse-otel</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<div id="app"></div>\n<script type="application/json" id="{DATA_ID}">{_embedded(written)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def is_page_file(head: str) -> bool:
    """Return whether the beginning of a file is that of one that `page_file` made."""
    return "synapse-otel</title>" in head and "content-security-policy" in head


def _records(logs: LogRecords) -> list[int]:
    """Return the places of the records that the file holds; metrics that are no numbers get the room that is left."""
    texts = set(logs.metric_texts)
    others = [at for at in range(len(logs)) if at not in texts]
    severities = [logs.severities[at] for at in others]
    told = most_telling(severities, first=_EDGE, important=RECORDS - 2 * _EDGE, last=_EDGE)
    room = RECORDS - len(told)
    return sorted([others[at] for at in told] + logs.metric_texts[max(len(texts) - room, 0) :])


def _curves(found: FollowedRun, numbers: list[int]) -> tuple[Json, Json]:
    series = found.series
    points = max(POINTS // max(len(numbers), 1), 40)
    axes = metrics_named(series, X_METRICS)
    curves = {str(at): _short(series[at].drawn(points)) | {"along": {}} for at in numbers}
    for at in numbers:
        of_category = axes.get(series[at].category, {})
        for name in along_of(series[at], of_category):
            # A thinned curve and its thinned axis have few times in common: so it is thinned over that axis, too.
            curves[str(at)]["along"][name] = _short(series[at].along(of_category[name]).drawn(points))
    means = {str(at): _short(series[at].drawn(points // 2, mean=True)) for at in numbers if len(series[at]) > points}
    return curves, means


def _short(points: Points) -> Json:
    """Return points in fewer digits than anybody sees: times to the microsecond, values to seven digits."""
    return {
        "t": [round(time, 3) for time in points.t],
        "v": [float(f"{value:.7g}") for value in points.v],
        "n": points.n,
        **({} if points.x is None else {"x": points.x}),
    }


def _embedded(value: Any) -> str:
    """Return JSON in which no character means anything to HTML."""
    text = msgspec.json.encode(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
