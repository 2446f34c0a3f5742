"""``synapse-otel doctor``: what prevents delivery, and how to fix it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
from rich.console import Console
from rich.text import Text

from synapse_otel.cli.codes import DONE, UNHEALTHY
from synapse_otel.cli.lines import say
from synapse_otel.doctor import Finding, Level, examine
from synapse_otel.journal.frames import clean
from synapse_otel.notices import Check
from synapse_otel.ui.formats import printable

_SIGNS = {
    Level.OK: ("ok", "green"),
    Level.NOTE: ("note", "cyan"),
    Level.WARNING: ("warn", "yellow"),
    Level.FAILURE: ("FAIL", "bold red"),
}
_WIDTH = max(len(sign) for sign, _ in _SIGNS.values())


class DoctorJson(msgspec.Struct):
    """What ``doctor --json`` prints."""

    healthy: bool
    failures: int
    warnings: int
    findings: list[Finding]


def doctor(checks: Collection[Check] | None, *, json: bool, probe: bool) -> int:
    """Print the findings of the checks, all by default, and return the exit code: 0 if nothing fails."""
    found = []
    console = Console(soft_wrap=True, highlight=False)
    for finding in examine(checks or tuple(Check), probe=probe):
        found.append(finding)
        if not json:
            _print(console, finding)
    failures, warnings = (_count(found, level) for level in (Level.FAILURE, Level.WARNING))
    if json:
        report = DoctorJson(not failures, failures, warnings, found)
        say(msgspec.json.format(msgspec.json.encode(clean(msgspec.to_builtins(report))), indent=2).decode())
    else:
        say("")
        say(_summary(failures, warnings, tried=any(finding.check is Check.ENDPOINT for finding in found)))
    return UNHEALTHY if failures else DONE


def _print(console: Console, finding: Finding) -> None:
    sign, style = _SIGNS[finding.level]
    line = Text.assemble(
        (sign.ljust(_WIDTH), style), "  ", (f"{finding.check}: {printable(finding.about)}", "bold"), "  "
    )
    line.append(printable(finding.text))
    console.print(line)
    if finding.advice:
        console.print(Text(f"{'':{_WIDTH}}  -> {printable(finding.advice)}", style=style))


def _count(found: Iterable[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in found)


def _summary(failures: int, warnings: int, *, tried: bool) -> str:
    if not failures and not warnings:
        return "no problem found: records arrive" if tried else "no problem found by these checks"
    parts = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for count, word in ((failures, "failure"), (warnings, "warning"))
        if count
    ]
    return ", ".join(parts)
