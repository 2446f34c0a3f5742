"""`RunStore`: the runs of an index, and the records of those that are viewed."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import Any, Final

from synapse_otel.journal.kept import delete_journal
from synapse_otel.runs.image_files import NamedFile, OpenImage
from synapse_otel.runs.live.details import details, metrics_named
from synapse_otel.runs.live.entry import Json, milliseconds
from synapse_otel.runs.live.filters import FilteredLogs, LogFilter
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.images import image_info, image_rows, run_image
from synapse_otel.runs.live.index import IndexedRun, RunIndex

OPEN_RUNS: Final = 24
"""Maximum number of runs in memory."""
IDLE_SECONDS: Final = 120.0
"""A run that was not requested for this time is discarded."""
READ_SECONDS: Final = 1.3
"""What one answer may read of a run: a long one is shown in parts, while the rest is read."""


class UnknownRunError(LookupError):
    """There is no such run."""


class RunInUseError(RuntimeError):
    """The run cannot be deleted now; the message says why."""


class UnknownRecordError(LookupError):
    """There is no such record of the run, or it is another one by now."""


class Open:
    """A run that is viewed."""

    def __init__(self, found: FollowedRun) -> None:
        self.found = found
        self.filtered = FilteredLogs(found.logs)
        self.complete = False

    @property
    def ratio(self) -> float:
        """Share that has been read, 1 for all."""
        return 1.0 if self.complete else self.found.ratio


class RunStore:
    """The data for the page. Methods may be called by any thread."""

    def __init__(self, index: RunIndex, *, jaeger_url: str | None = None) -> None:
        self.index = index
        self._jaeger_url = jaeger_url
        self._open: dict[str, Open] = {}
        self._lock = Lock()

    def details(self, name: str) -> Json:
        """Return the details of a run without its curves and records; ``reading``: the share that was read, up to 1.

        Raises:
            UnknownRunError: there is no such run.
            OSError: it cannot be read.
        """
        one = self._opened(name)
        with one.found.lock:
            indexed = self._read_on(name, one)
            told = details(indexed, one.found, jaeger_url=self._jaeger_url)
            attempts = self.index.attempts(name)
            return told | {"version": one.found.version, "reading": one.ratio, "attempts": attempts}

    def curves(self, name: str, numbers: list[int], points: int, *, along: str = "", **how: Any) -> Json:
        """Return the points of curves by their numbers, from `Samples.drawn`.

        With ``along``, the name of a metric, they are drawn over that of the same category, as `Samples.along`;
        a series whose category has no such metric is left out.

        Raises:
            UnknownRunError: there is no such run.
        """
        one = self._opened(name)
        with one.found.lock:
            self._begin(one)
            series = one.found.series
            chosen = {number: series[number] for number in numbers if 0 <= number < len(series) and len(series[number])}
            if along:
                how.pop("by_number", None)
                axes = metrics_named(series, {along})
                found = {
                    number: curve.along(axis[along]).drawn(points, **how)
                    for number, curve in chosen.items()
                    if (axis := axes.get(curve.category))
                }
            else:
                found = {number: curve.drawn(points, **how) for number, curve in chosen.items()}
            drawn = {number: points_._asdict() for number, points_ in found.items()}
        return {"version": one.found.version, "curves": drawn}

    def records(self, name: str, wanted: LogFilter, offset: int, limit: int) -> Json:
        """Return some of the log records that a filter lets through; an offset below 0 counts from the end."""
        one = self._opened(name)
        with one.found.lock:
            self._begin(one)
            places = one.filtered.places(wanted)
            begin = max(offset if offset >= 0 else len(places) + offset, 0)
            rows = [one.found.logs.told(at) for at in places[begin : begin + limit]]
            return {"version": one.found.version, "matching": len(places), "offset": begin, "rows": rows}

    def images(self, name: str, offset: int, limit: int) -> Json:
        """Return some of the records that name images, as `image_rows`; none until all of the run has been read.

        Raises:
            UnknownRunError: there is no such run.
        """
        one = self._opened(name)
        with one.found.lock:
            self._begin(one)
            return image_rows(one.found.logs, offset, limit if one.complete else 0)

    def image_infos(self, name: str, records: list[tuple[int, float]]) -> Json:
        """Return what is known of the images that some records name, as `image_info`, by the records' numbers.

        Args:
            name: of the run.
            records: number and time (Unix ms) of each. Those of which there is none are left out.

        Raises:
            UnknownRunError: there is no such run.
        """
        found: Json = {}
        for number, time in records:
            try:
                indexed, named = self._named(name, number, time)
            except UnknownRecordError:
                continue
            found[str(number)] = image_info(indexed, named)
        return found

    def image(self, name: str, number: int, time: float, *, changed: bool = False) -> OpenImage:
        """Open the image that a record names: its number and time (Unix ms) say which; ``changed`` as in `open_image`.

        Raises:
            UnknownRunError: there is no such run.
            UnknownRecordError: there is no such record.
            ImageError: the record names no file, or the file is not shown.
        """
        indexed, named = self._named(name, number, time)
        return run_image(indexed, named, changed=changed)

    def _named(self, name: str, number: int, time: float) -> tuple[IndexedRun, NamedFile | None]:
        """Return a run and the file that a record of it names. The time tells when the records were recounted."""
        one = self._opened(name)
        with one.found.lock:
            self._begin(one)
            indexed = self.index.get(name)
            if indexed is None:
                raise UnknownRunError(name)
            logs = one.found.logs
            if not 0 <= number < len(logs) or milliseconds(logs.times[number]) != time:
                raise UnknownRecordError(number)
            return indexed, logs.file(number)

    def delete(self, name: str) -> None:
        """Delete the journals of a run, with their pending records.

        Raises:
            UnknownRunError: there is no such run.
            RunInUseError: it runs, a shipper delivers it, or it is not below a folder of journals.
        """
        indexed = self.index.get(name)
        if indexed is None:
            raise UnknownRunError(name)
        if indexed.lives:
            raise RunInUseError("it is running")
        if not self.index.owns(indexed):
            raise RunInUseError("it is a copy, not one of this machine's runs: delete its folder")
        for folder in reversed(indexed.folders):  # the first one holds the others together
            if not delete_journal(folder):
                raise RunInUseError("a shipper is delivering it, or its folder is out of reach; try again later")
        with self._lock:
            one = self._open.pop(name, None)
        if one is not None:
            with one.found.lock:
                one.found.close()
        self.index.look_again()

    def version(self, name: str) -> tuple[int, int, float]:
        """Read a run further, and return values that change with its records, its row, and the share that was read.

        Raises:
            UnknownRunError: there is no such run.
            OSError: it cannot be read.
        """
        one = self._opened(name)
        with one.found.lock:
            indexed = self._read_on(name, one)
            return one.found.version, indexed.version, one.ratio

    def _read_on(self, name: str, one: Open) -> IndexedRun:
        """Read a run further, and return its current overview: it may have been deleted."""
        self._refresh(one)
        indexed = self.index.get(name)
        if indexed is None:
            raise UnknownRunError(name)
        return indexed

    def _begin(self, one: Open) -> None:
        """Read a run that has not been read completely yet; the viewer reads it further."""
        if not one.complete:
            self._refresh(one)

    def _refresh(self, one: Open) -> None:
        was_complete = one.complete
        one.complete = one.found.refresh(READ_SECONDS, least=0.1) or was_complete
        if one.complete and not was_complete:
            one.filtered.clear()

    def _opened(self, name: str) -> Open:
        indexed = self.index.get(name)
        if indexed is None:
            raise UnknownRunError(name)
        with self._lock:
            one = self._open.pop(name, None)
            if one is None or one.found.folders != indexed.folders:
                if one is not None:
                    one.found.close()
                one = Open(FollowedRun(indexed.folders))
            self._open[name] = one  # the one that was used last stands last
            one.found.used = monotonic()
            self._forget()
        return one

    def _forget(self) -> None:
        names = list(self._open)
        for place, name in enumerate(names[:-1]):
            found = self._open[name].found
            if len(names) - place > OPEN_RUNS or monotonic() - found.used > IDLE_SECONDS:
                del self._open[name]
                found.close()
