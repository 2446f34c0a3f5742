"""A trace drawn as Jaeger's web page draws it, as SVG: the page itself cannot be built from the registries.

The picture has a ground of its own, light or dark as the reader's system is, and refers to nothing outside itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from html import escape
from typing import Any, Final

from tools.docs.trace_tree import Row, is_of_the_machine, rows

WIDTH: Final = 960
_LABELS: Final = 270
"""Width of the column with the names; what is right of it is the time."""
_TIME: Final = WIDTH - _LABELS - 24
_HEAD: Final = 76
_ROW: Final = 24
_LINE: Final = 17
_LETTERS: Final = 100
"""Characters of a line below an opened span; what is longer is cut."""
_KEY: Final = 200
_BESIDE: Final = 70
"""Room that a duration needs."""
_QUARTERS: Final = 4
_SECOND: Final = 1_000_000
_MILLISECOND: Final = 1_000
_STYLE: Final = """
:root { color-scheme: light dark }
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--text) }
svg { --ground: #ffffff; --text: #1f2937; --soft: #5b6472; --line: #e2e5ea; --band: #f5f7f9; --bar: #0f8f95;
      --mark: #ffffff; --red: #c62828; --amber: #9a6700 }
@media (prefers-color-scheme: dark) {
  svg { --ground: #161b22; --text: #e6edf3; --soft: #9aa4b0; --line: #30363d; --band: #1f252d; --bar: #2bb3b9;
        --mark: #0d1117; --red: #ff7b72; --amber: #e3b341 }
}
.ground { fill: var(--ground); stroke: var(--line) }
.band { fill: var(--band) }
.rule { stroke: var(--line) }
.bar { fill: var(--bar) }
.failed { fill: var(--red) }
.mark { stroke: var(--mark); stroke-width: 1.5 }
.title { font-size: 15px; font-weight: 600 }
.soft { fill: var(--soft) }
.red { fill: var(--red) }
.amber { fill: var(--amber) }
.code { font: 11px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
"""
_HIDDEN: Final = frozenset({"otel.scope.name", "otel.scope.version", "span.kind"})
"""Tags that are the same on every span."""


def draw(trace: Mapping[str, Any], *, title: str, said: str, opened: Collection[str] = ()) -> str:
    """Return the picture of a trace.

    Args:
        trace: as ``/api/traces`` answers it.
        title: what it is headed with.
        said: what it shows, for those who cannot see it.
        opened: names of the spans whose tags and logs are shown; of several of a name, the first's.
    """
    found = rows(trace)
    whole = max(1, *(row.begin + row.duration for row in found))
    parts: list[str] = []
    at = _HEAD
    left = set(opened)
    for number, row in enumerate(found):
        lines = list(_details(row)) if row.name in left else []
        left.discard(row.name)
        height = _ROW + (len(lines) * _LINE + 10 if lines else 0)
        if number % 2:
            parts.append(f'<rect class="band" x="1" y="{at}" width="{WIDTH - 2}" height="{_ROW}"/>')
        parts += _row(row, at, whole)
        parts += _opened(lines, at + _ROW)
        at += height
    head = list(_head(trace, found, title, whole, at))
    size = f'width="{WIDTH}" height="{at + 8}" viewBox="0 0 {WIDTH} {at + 8}"'
    frame = f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{at + 7}" rx="6"/>'
    about = f"<title>{escape(title)}</title>\n<desc>{escape(said)}</desc>"
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{about}\n<style>{_STYLE}</style>'
    return "\n".join([begin, frame, *head, *parts, "</svg>"]) + "\n"


def duration(microseconds: int) -> str:
    """Return a duration as Jaeger's web page writes it."""
    if microseconds >= _SECOND:
        return f"{microseconds / _SECOND:.2f}s"
    if microseconds >= _MILLISECOND:
        return f"{microseconds / _MILLISECOND:.1f}ms"
    return f"{microseconds}μs"


def _head(trace: Mapping[str, Any], found: list[Row], title: str, whole: int, bottom: int) -> Iterator[str]:
    services = {process["serviceName"] for process in trace["processes"].values()}
    facts = {
        "Duration": duration(whole),
        "Services": len(services),
        "Processes": len(trace["processes"]),
        "Depth": 1 + max(row.depth for row in found),
        "Total Spans": len(found),
    }
    shown = " · ".join(f"{name} {value}" for name, value in facts.items())
    yield _text(16, 26, title, "title")
    yield _text(16, 45, shown, "soft")
    for quarter in range(_QUARTERS + 1):
        x = _LABELS + _TIME * quarter / _QUARTERS
        anchor = "end" if quarter == _QUARTERS else "start"
        yield f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="54" y2="{bottom}"/>'
        yield _text(x + (-4 if anchor == "end" else 4), 67, duration(whole * quarter // _QUARTERS), "soft", anchor)


def _row(row: Row, at: int, whole: int) -> Iterator[str]:
    middle = at + _ROW / 2
    x = 16 + row.depth * 18
    if row.depth:
        yield f'<line class="rule" x1="{x - 12}" x2="{x - 4}" y1="{middle}" y2="{middle}"/>'
    if row.failed:
        yield f'<circle class="failed" cx="{x + 6}" cy="{middle}" r="7"/>'
        yield _text(x + 6, middle + 4, "!", "", "middle", "fill:var(--mark);font-weight:700")
        x += 18
    name = "soft" if row.name.endswith(" (started)") else ""
    yield _text(x, middle + 4, row.name, name)
    begin = _LABELS + _TIME * row.begin / whole
    width = max(_TIME * row.duration / whole, 2)
    kind = "failed" if row.failed else "bar"
    yield f'<rect class="{kind}" x="{begin:.1f}" y="{at + 6}" width="{width:.1f}" height="12" rx="2"/>'
    end = begin + width - (_BESIDE if _is_inside(begin, width) else 1)
    for event in row.events:
        mark = _LABELS + _TIME * event.microseconds / whole
        if begin + 1 < mark < end:
            yield f'<line class="mark" x1="{mark:.1f}" x2="{mark:.1f}" y1="{at + 8}" y2="{at + 16}"/>'
    yield from _beside(row, begin, width, middle + 4)


def _beside(row: Row, begin: float, width: float, y: float) -> Iterator[str]:
    """Write how long a span took beside its bar; where there is no room on either side, on it."""
    if _is_inside(begin, width):
        yield _text(begin + width - 6, y, duration(row.duration), "", "end", "fill:var(--mark)")
    elif begin + width + _BESIDE < WIDTH - 10:
        yield _text(begin + width + 5, y, duration(row.duration), "soft")
    else:
        yield _text(begin - 5, y, duration(row.duration), "soft", "end")


def _is_inside(begin: float, width: float) -> bool:
    return begin + width + _BESIDE >= WIDTH - 10 and begin - _BESIDE <= _LABELS


def _details(row: Row) -> Iterator[tuple[str, str, str]]:
    """Yield the lines below an opened span: class, key and value."""
    yield "head", "Tags", ""
    for key, value in sorted(row.tags.items()):
        if key not in _HIDDEN and not is_of_the_machine(key):
            red = "red" if key.startswith(("error", "otel.status")) else ""
            yield red, key, _value(value)
    if row.events:
        yield "head", f"Logs ({len(row.events)})", ""
    for event in row.events:
        fields = " ".join(f"{key}={_value(value)}" for key, value in sorted(event.fields.items(), key=_message_first))
        yield "", f"{duration(event.microseconds)}", f"event={event.name} {fields}"
    if row.follows:
        yield "head", "References", ""
    for name in row.follows:
        yield "", "FOLLOWS_FROM", name
    for warning in row.warnings:
        yield "amber", "Warning", warning


def _message_first(field: tuple[str, Any]) -> tuple[bool, str]:
    return field[0] != "message", field[0]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return text if "\n" not in text else f"{text.splitlines()[0]} …"


def _opened(lines: list[tuple[str, str, str]], at: int) -> Iterator[str]:
    for number, (kind, key, value) in enumerate(lines, 1):
        y = at + number * _LINE
        if kind == "head":
            yield _text(34, y, key, "soft")
            continue
        yield _text(46, y, key, f"code {kind or 'soft'}")
        yield _text(
            46 + _KEY, y, value if len(value) <= _LETTERS else value[: _LETTERS - 1] + "…", f"code {kind}".strip()
        )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "", style: str = "") -> str:  # noqa: PLR0917
    given = {"class": kind, "text-anchor": anchor, "style": style}
    more = "".join(f' {name}="{value}"' for name, value in given.items() if value)
    return f'<text x="{x:g}" y="{y:g}"{more}>{escape(text)}</text>'
