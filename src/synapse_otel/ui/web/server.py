"""The page's server: it answers requests with its token from this machine, from the runs of a store."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from synapse_otel.runs.image_files import ImageError, Reason
from synapse_otel.runs.live.filters import LEVELS, LogFilter
from synapse_otel.runs.live.store import RunInUseError, RunStore, UnknownRecordError, UnknownRunError
from synapse_otel.ui.web.bundle import page
from synapse_otel.ui.web.events import EventStream
from synapse_otel.ui.web.guard import TABLE, Guard
from synapse_otel.ui.web.table_file import TableWriter, table_file

PAGES: Final = {"": "index.html", "app.js": "app.js", "app.css": "app.css", "icon.svg": "icon.svg"}
_TYPES: Final = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_PAGE: Final = [Middleware(GZipMiddleware)]
"""The page often comes through a tunnel; what it shows is not worth the processor's time."""
_MOST_POINTS: Final = 20_000
_MOST_ROWS: Final = 1_000
_MOST_SERIES: Final = 2_000
_LONGEST_SEARCH: Final = 500
_LONGEST_NAME: Final = 1_000
_MOST_CUT: Final = 49.0
_LATEST: Final = 9e12
"""Times in ns beyond it are no 64-bit integers."""
_MOST_IMAGES: Final = 5_000
_MOST_INFOS: Final = 100
_CHUNK: Final = 1 << 18
_IMAGE_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""What an image may do that is opened as a page: nothing."""
_STATUSES: Final = {
    Reason.DENIED: 403, Reason.CHANGED: 409, Reason.TOO_LARGE: 413, Reason.NO_IMAGE: 415,
}  # fmt: skip
"""HTTP status of an image that is not shown; 404 for any other reason."""


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        return msgspec.json.encode(content)


def application(store: RunStore, token: str, *, write_table: TableWriter | None = None) -> Starlette:
    """Return the ASGI application; the first address must have the token as ``?token=``, and a cookie remembers it.

    Args:
        store: the runs.
        token: what a request must know.
        write_table: makes a Parquet file of the list; without it, there is none.
    """
    routes = [
        Route("/api/runs", _answered(lambda _request: _all_runs(store))),
        Route("/api/runs/{name}", _answered(lambda request: store.details(request.path_params["name"]))),
        Route("/api/runs/{name}", _answered(lambda request: _delete(store, request)), methods=["DELETE"]),
        Route("/api/runs/{name}/curves", _answered(lambda request: _curves(store, request))),
        Route("/api/runs/{name}/records", _answered(lambda request: _records(store, request))),
        Route("/api/runs/{name}/images", _answered(lambda request: _images(store, request))),
        Route("/api/runs/{name}/images/info", _answered(lambda request: _image_infos(store, request))),
        Route("/api/runs/{name}/images/{number}", _answered(lambda request: _image(store, request))),
        Route("/api/events", _events(store)),
        *([Route(TABLE, table_file(write_table), methods=["POST"])] if write_table else ()),
        Route("/{name}", _page, middleware=_PAGE),
        Route("/", _page, middleware=_PAGE),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=token)])


async def _page(request: Request) -> Response:
    name = PAGES.get(request.path_params.get("name", ""))
    if name is None:
        raise HTTPException(404)
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(await run_in_threadpool(page, name), media_type=kind)


def _answered(answer: Callable[[Request], Any]) -> Callable[[Request], Response]:
    """Return an endpoint that answers in JSON, or by a response of its own; Starlette runs it in a thread."""

    def endpoint(request: Request) -> Response:
        try:
            found = answer(request)
            return found if isinstance(found, Response) else _Json(found)
        except UnknownRunError:
            return _Json({"error": "there is no such run"}, 404)
        except UnknownRecordError:
            return _Json({"error": "there is no such record"}, 404)
        except ImageError as error:
            return _Json({"error": str(error), "reason": str(error.reason)}, _STATUSES.get(error.reason, 404))
        except RunInUseError as error:
            return _Json({"error": str(error)}, 409)
        except OSError as error:
            return _Json({"error": error.strerror or str(error)}, 500)

    return endpoint


def _all_runs(store: RunStore) -> Any:
    while not (store.index.refresh(1.0) and store.index.refresh_values(1.0)):
        pass
    return store.index.rows()[1]


def _delete(store: RunStore, request: Request) -> Any:
    store.delete(request.path_params["name"])
    return {}


def _curves(store: RunStore, request: Request) -> Any:
    asked = request.query_params
    numbers = [_integer(text) for text in asked.get("series", "").split(",")[:_MOST_SERIES] if text]
    points = min(max(_integer(asked.get("points", "1000")), 2), _MOST_POINTS)
    along = asked.get("along", "")[:_LONGEST_NAME]
    bound = _number if along else _time
    return store.curves(
        request.path_params["name"],
        numbers,
        points,
        along=along,
        begin=bound(asked["begin"]) if "begin" in asked else None,
        end=bound(asked["end"]) if "end" in asked else None,
        by_number=asked.get("axis") == "n",
        mean=asked.get("mean") == "1",
        cut=min(max(_number(asked.get("cut", "0")), 0.0), _MOST_CUT),
    )


def _records(store: RunStore, request: Request) -> Any:
    asked = request.query_params
    wanted = LogFilter(
        severity=dict(LEVELS).get(asked.get("level", ""), 0),
        audience=asked.get("audience", "all"),
        category=asked.get("category"),
        text=asked.get("q", "")[:_LONGEST_SEARCH].strip().lower(),
        metric_texts=asked.get("metric_texts") != "0",
    )
    limit = min(max(_integer(asked.get("limit", "200")), 0), _MOST_ROWS)
    return store.records(request.path_params["name"], wanted, _integer(asked.get("offset", "0")), limit)


def _images(store: RunStore, request: Request) -> Any:
    asked = request.query_params
    limit = min(max(_integer(asked.get("limit", "200")), 0), _MOST_IMAGES)
    return store.images(request.path_params["name"], _integer(asked.get("offset", "0")), limit)


def _image_infos(store: RunStore, request: Request) -> Any:
    """Answer for records that are asked for as ``record=NUMBER@TIME``, each."""
    parts = [text.partition("@") for text in request.query_params.getlist("record")[:_MOST_INFOS]]
    records = [(_integer(number), _number(time)) for number, _at, time in parts]
    return store.image_infos(request.path_params["name"], records)


def _image(store: RunStore, request: Request) -> Response:
    asked, path = request.query_params, request.path_params
    changed = asked.get("changed") == "1"
    image = store.image(path["name"], _integer(path["number"]), _number(asked.get("time", "")), changed=changed)
    headers = {"content-length": str(image.size), "content-security-policy": _IMAGE_POLICY}
    return StreamingResponse(_chunks(image.file, image.size), media_type=image.head.type, headers=headers)


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield a file's bytes, no more than were promised: it may grow. Of one that shrinks the answer is broken off."""
    with file:
        while size > 0 and (chunk := file.read(min(size, _CHUNK))):
            size -= len(chunk)
            yield chunk


def _events(store: RunStore) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        names = request.query_params.getlist("run")
        stream = EventStream(store, names, listed="list" in request.query_params)
        return StreamingResponse(stream.lines(), media_type="text/event-stream")

    return endpoint


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise HTTPException(400, "a whole number is required") from None


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise HTTPException(400, "a number is required")
    return number


def _time(text: str) -> float:
    number = _number(text)
    if not abs(number) < _LATEST:
        raise HTTPException(400, "a time in Unix milliseconds is required")
    return number
