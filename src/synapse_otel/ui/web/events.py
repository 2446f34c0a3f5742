"""What the page is told while somebody looks: server-sent events, in the words of the HTML standard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic, time
from typing import Any, Final

import anyio
import msgspec
from starlette.concurrency import run_in_threadpool

from synapse_otel.runs.live.entry import plain_path
from synapse_otel.runs.live.store import RunStore, UnknownRunError

POLL_SECONDS: Final = 0.25
SILENCE_SECONDS: Final = 10.0
"""After so long something is sent in any case: so a page that has gone is noticed."""
_FIRST_LIST_SECONDS: Final = 0.05
"""How long runs, and then their values, are read before what is known of the list is sent first..."""
_LIST_SECONDS: Final = 0.25
"""...and later: each time the page sorts and draws what it has."""
_RUNS: Final = 24


class EventStream:
    """Events for one page.

    ``rows``: the list's rows that are new or have changed, the ids of all runs if these changed, and whether all have
    been read. ``run``: the versions of one run.

    Args:
        store: the runs.
        names: ids of the runs that the page shows.
        listed: whether it shows the list.
    """

    def __init__(self, store: RunStore, names: list[str], *, listed: bool) -> None:
        self._store = store
        self._names = names[:_RUNS]
        self._listed = listed
        self._version = 0
        self._ids: list[str] = []
        self._complete = False
        self._told: dict[str, Any] = {}

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield events for as long as the page listens."""
        yield b"retry: 1000\n\n"
        spoke = monotonic()
        while True:
            found = await run_in_threadpool(self._look)
            for event, what in found:
                yield b"event: %s\ndata: %s\n\n" % (event.encode(), msgspec.json.encode(what))
            if found:
                spoke = monotonic()
            elif monotonic() - spoke > SILENCE_SECONDS:
                spoke = monotonic()
                yield b": here\n\n"
            if not self._listed or self._complete:
                await anyio.sleep(POLL_SECONDS)

    def _look(self) -> list[tuple[str, Any]]:
        found = [("run", told) for name in self._names if (told := self._look_at(name))]
        if self._listed and (rows := self._look_at_list()):
            found.append(("rows", rows))
        return found

    def _look_at(self, name: str) -> Any:
        try:
            records, row, reading = self._store.version(name)
            told = {"id": name, "records": records, "row": row, "reading": reading}
        except UnknownRunError:
            told = {"id": name, "error": "there is no such run"}
        except Exception as error:  # noqa: BLE001 - the list, and other runs, are told of all the same
            told = {"id": name, "error": plain_path(getattr(error, "strerror", None) or error)}
        if self._told.get(name) == told:
            return None
        self._told[name] = told
        return told

    def _look_at_list(self) -> Any:
        index = self._store.index
        seconds = _LIST_SECONDS if self._ids else _FIRST_LIST_SECONDS
        read = index.refresh(seconds)
        # The values of the newest runs come with their rows: they are what is seen first.
        with_values = index.refresh_values(seconds)
        complete = read and (with_values or self._complete)
        ids = index.ids()
        version, rows = index.rows(self._version)
        if not rows and ids == self._ids and complete == self._complete:
            return None
        told: dict[str, Any] = {"now": time() * 1000, "rows": rows, "complete": complete}
        if ids != self._ids:
            told["ids"] = ids
        self._version, self._ids, self._complete = version, ids, complete
        return told
