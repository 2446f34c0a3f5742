"""A run's last tab: how its delivery stands, what it ran with, what it made, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.text import Text

from synapse_otel.runs.live.entry import Json
from synapse_otel.ui.formats import clock, fitted, path, printable
from synapse_otel.ui.glyphs import Glyphs
from synapse_otel.ui.printed.usage import peak, used_curve
from synapse_otel.ui.terminal.overview import heading
from synapse_otel.ui.terminal.words import folded, shown


def about(told: Json, width: int, glyphs: Glyphs) -> list[Text]:
    """Return the lines of the tab."""
    row = told["row"] or {}
    job: Json = next((span for span in told["spans"] if span["role"] == "job"), {"params": {}, "products": {}})
    traces = {
        f"trace {at + 1}" if at else "trace": one["trace"] for at, one in enumerate(told["jobs"][:5]) if one["trace"]
    }
    links = {key.replace("trace", "Jaeger"): f"{told['jaeger']}/trace/{trace}" for key, trace in traces.items()}
    notes = dict.fromkeys(one["notes"] for one in told["jobs"] if one["notes"])
    run = {
        "name": row.get("name", ""),
        **({"tags": ", ".join(row["tags"])} if row.get("tags") else {}),
        **{f"notes{'' if not at else f' {at + 1}'}": text for at, text in enumerate(notes)},
        "job": row.get("job", ""),
        "started": clock(int((row.get("start") or 0) * 1e6)),
        **traces,
        **(links if told["jaeger"] else {}),
        **{f"folder{'' if not at else f' {at + 1}'}": path(one) for at, one in enumerate(told["folders"])},
    }
    for at, other in enumerate(told["attempts"], 1):
        run[f"attempt {at}"] = f"{other['name']}  {other['word']}  {clock(int(other['start'] * 1e6))}"
    lines = [*_account(told), *_used(told, width, glyphs), *_pairs("This run", run, width, glyphs)]
    lines += _pairs("Parameters", job["params"], width, glyphs)
    lines += _pairs("Made", job["products"], width, glyphs)
    lines += _pairs("Environment", told["resource"], width, glyphs)
    return lines


def _account(told: Json) -> Iterator[Text]:
    yield heading("Delivery")
    found = {name: one for name, one in told["signals"].items() if one["emitted"] or one["attempts"]}
    if not found:
        yield Text("Nothing was emitted.", "dim")
    else:
        yield Text(f"{'':8}{'emitted':>11}{'delivered':>11}{'pending':>11}{'dropped':>11}", "dim")
    for name, one in found.items():
        dropped = sum(one["dropped"].values())
        line = Text(f"{name:8}{one['emitted']:>11,}{one['delivered']:>11,}{one['pending']:>11,}")
        line.append(f"{dropped:>11,}", "red" if dropped else "")
        yield line
        yield from (Text(f"{'':8}{count:,} {printable(why)}", "red") for why, count in one["dropped"].items())
    for failure in {one["failure"] for one in found.values() if one["failure"]}:
        yield Text(printable(failure), "yellow")
    if told["row"] and told["row"]["pending"] and not told["lives"]:
        yield Text("`synapse-otel sync` delivers what is pending.", "dim")
    yield Text()


def _used(told: Json, width: int, glyphs: Glyphs) -> Iterator[Text]:
    charts = told["usage"]["charts"]
    if not charts:
        return
    yield heading("Used")
    for chart in charts:
        for line in chart["lines"]:
            curve = used_curve(chart["name"], line["label"], line["v"], width, glyphs)
            yield curve.append(peak(chart["unit"], chart["limit"], line["v"]))
    if told["usage"]["oom_killed"]:
        yield Text("The kernel killed this run: out of memory.", "red")
    yield Text()


def _pairs(head: str, values: Json, width: int, glyphs: Glyphs) -> Iterator[Text]:
    if not values:
        return
    yield heading(head)
    names = [printable(str(key)) for key in values]
    label = min(max(map(cell_len, names)), max(width // 3, 12))
    for name, value in zip(names, values.values(), strict=True):
        parts = list(folded(Text(shown(value)), width - label - 2))
        yield Text.assemble((fitted(name, label, glyphs), "dim"), "  ", parts[0])
        yield from (Text(" " * (label + 2)).append_text(part) for part in parts[1:])
    yield Text()
