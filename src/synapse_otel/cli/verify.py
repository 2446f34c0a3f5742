"""``synapse-otel verify``: compares what was recorded with what the backends hold."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from synapse_otel._text import counted
from synapse_otel.cli.codes import DONE, INCOMPLETE, UNVERIFIED, end_in_order
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import readable_roots
from synapse_otel.journal.frames import clean
from synapse_otel.runs import find_run, run_groups, same_run
from synapse_otel.settings import Settings, load_destination, load_settings
from synapse_otel.ui.formats import printable
from synapse_otel.verify.repair import Repair, RepairError
from synapse_otel.verify.report import RunReport, SignalReport, Signals, total
from synapse_otel.verify.textfile import write_textfile
from synapse_otel.verify.verification import Backends, Verified, verify_run

REPAIR_WAIT_SECONDS: Final = 30.0
"""How long what was sent again may take to arrive."""
_AGAIN_SECONDS: Final = 1.0
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLUMNS: Final = ("expected", "found", "missing", "different", "double")


def verify(run: str | None, *, since: str | None, json: bool, repair: bool, wait: float, textfile: Path | None) -> int:
    """Print what is missing of a run, or of all runs begun since, and return the exit code.

    The arguments are as `app` has them.

    Raises:
        LookupError: there is no such run, or the arguments contradict each other.
        OSError: a journal or a file cannot be read or written.
        SettingsError: a setting is wrong.
    """
    end_in_order()
    if run is not None and since is not None:
        raise LookupError("either RUN or --since, not both")
    settings = load_settings()
    roots = readable_roots(settings)
    every = list(_runs(roots, since)) if since is not None else [same_run(find_run(run, roots, tell), roots)]
    command = _Verify(settings, repair=repair, wait=wait)
    reports = []
    for folders in every:
        report = command.one(folders) if since is None else command.one_of_many(folders)
        reports.append(report)
        if not json:
            for line in _one_line(report) if since is not None else _table(report):
                say(line)
    if textfile is not None:
        write_textfile(textfile, reports, time.time())
    if json:
        _say_json(reports, whole=since is not None)
    elif since is not None:
        say(f"{counted(len(reports), 'run')} begun in the last {since}")
        for line in _counts(total(reports)):
            say(line)
    if not all(one.good for one in reports):
        return INCOMPLETE
    return DONE if all(one.verified for one in reports) else UNVERIFIED


def _runs(roots: list[Path], since: str) -> Iterator[list[Path]]:
    match = _SPAN.fullmatch(since)
    if match is None:
        raise LookupError(f"--since {since}: a number and a unit, such as 30m, 24h or 7d")
    try:
        begin = time.time() - timedelta(**{_UNITS[match[2]]: float(match[1])}).total_seconds()
    except OverflowError:
        begin = 0.0
    for group in run_groups(roots):
        if group[0].run.created >= begin:
            yield [known.folder for known in group]


class _Verify:
    """One call of the command."""

    def __init__(self, settings: Settings, *, repair: bool, wait: float) -> None:
        self._backends = Backends.of(settings)
        self._destination = load_destination(settings) if repair else None
        self._wait = wait

    def one(self, folders: list[Path]) -> RunReport:
        """Verify a run, again until nothing is missing or the time is over, and repair it."""
        found = self._until_complete(folders, self._wait)
        if self._destination is None or not _lacks(found):
            return found.report
        if not found.report.settled:
            found.report.notes.append(
                "not repaired: the shipper has not delivered it to its end; `synapse-otel sync` does, then repair"
            )
            return found.report
        repair, failure = Repair(self._destination), ""
        try:
            repair.send(found)
        except RepairError as error:
            failure = str(error)
        if repair.sent:
            found = self._until_complete(folders, max(self._wait, REPAIR_WAIT_SECONDS))
        found.report.repaired = repair.sent
        if failure:
            found.report.notes.append(failure)
        elif _lacks(found):
            found.report.notes.append(_STILL)
        return found.report

    def one_of_many(self, folders: list[Path]) -> RunReport:
        """Do the same; a run that cannot be read is reported, and keeps none of the others from being verified."""
        try:
            return self.one(folders)
        except OSError as error:
            why = f"{folders[0].name} cannot be read: {error.strerror or error}"
            parts = {name: SignalReport(error=why) for name, _ in Signals().all()}
            return RunReport(run=folders[0].name, signals=Signals(**parts))

    def _until_complete(self, folders: list[Path], seconds: float) -> Verified:
        until = time.monotonic() + seconds
        while _lacks(found := verify_run(folders, self._backends)) and time.monotonic() < until:
            time.sleep(_AGAIN_SECONDS)
        return found


_STILL: Final = (
    "what is still missing is on its way, or a backend or Collector does not take it:"
    " Prometheus no samples older than its out_of_order_time_window"
)


def _lacks(found: Verified) -> bool:
    return any(part.missing for _, part in found.report.signals.all())


# --- words ------------------------------------------------------------------------------------------------


def _counts(signals: Signals) -> Iterator[str]:
    yield f"{'':10}" + "".join(f"{column:>11}" for column in _COLUMNS)
    for name, part in signals.all():
        yield f"{name:10}" + "".join(f"{getattr(part, column):>11,}" for column in _COLUMNS)
        yield from (f"  {kind}" for kind in _details(part))


def _details(part: SignalReport) -> Iterator[str]:
    if part.error:
        yield f"not verified: {printable(part.error)}"
    if part.unverified:
        yield f"not verified: {part.unverified:,} records are no longer on this machine"
    yield from (f"{count:,} {reason}" for reason, count in part.kept_away.items())
    for kind, examples in part.examples.items():
        yield from (f"{kind}: {printable(example)}" for example in examples)


def _table(report: RunReport) -> Iterator[str]:
    yield report.run
    yield from _counts(report.signals)
    yield from _notes(report)


def _notes(report: RunReport) -> Iterator[str]:
    if report.alive:
        yield "it is running: its newest records may be on their way"
    if report.pending or not report.settled:
        yield f"{report.pending:,} records are pending, or its end is; `synapse-otel sync` delivers them"
    if report.dropped:
        lost = ", ".join(f"{count:,} {reason}" for reason, count in report.dropped.items())
        yield f"the shipper dropped {lost}"
    if report.repaired:
        yield "sent again: " + ", ".join(f"{count:,} {name}" for name, count in report.repaired.items())
    yield from map(printable, report.notes)


def _one_line(report: RunReport) -> Iterator[str]:
    parts = []
    for name, part in report.signals.all():
        counts = [f"{getattr(part, column):,} {column}" for column in _COLUMNS[2:] if getattr(part, column)]
        counts += [f"not verified ({printable(part.error)})"] if part.error else []
        counts += [f"{part.unverified:,} not verified"] if part.unverified else []
        parts += [f"{name} {', '.join(counts)}"] if counts else []
    yield " · ".join([f"{report.run}  {parts[0] if parts else 'complete'}", *parts[1:], *_notes(report)])


def _say_json(reports: list[RunReport], *, whole: bool) -> None:
    made = [clean(msgspec.to_builtins(one)) | {"complete": one.good, "verified": one.verified} for one in reports]
    found = {"runs": made, "total": clean(msgspec.to_builtins(total(reports)))} if whole else made[0]
    say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
