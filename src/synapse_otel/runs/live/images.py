"""The images that the records of a run name: what the page shows of each, and where it places it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from synapse_otel import semconv
from synapse_otel.runs.image_files import ImageError, NamedFile, OpenImage, Reason, open_image
from synapse_otel.runs.image_heads import ImageHead
from synapse_otel.runs.live.entry import FROM_FILE, Json
from synapse_otel.runs.live.index import IndexedRun
from synapse_otel.runs.live.log_records import LogRecords

_PLACED: Final = frozenset({"category", "group", "index"})
"""What `log_visualization` says of an image's place."""


def image_rows(logs: LogRecords, offset: int, limit: int) -> Json:
    """Return some of the records that name images, in their order; an offset below 0 counts from the end.

    ``group`` is the name of the event where an image was not logged by `log_visualization`, and ``index`` then empty.
    """
    places = logs.images
    begin = max(offset if offset >= 0 else len(places) + offset, 0)
    rows = [_row(logs, at) for at in places[begin : begin + limit]]
    return {"total": len(places), "offset": begin, "rows": rows}


def _row(logs: LogRecords, at: int) -> Json:
    told = logs.told(at)
    data = told["data"]
    placed = told["event"] == semconv.EVENT_VISUALIZATION
    return {
        "n": at,
        "time": told["time"],
        "category": str(data.get("category", told["category"])) if placed else told["category"],
        "group": str(data.get("group", told["event"])) if placed else told["event"],
        "index": str(data.get("index", "")) if placed else "",
        "name": PurePath(told["file"]).name,
        "data": {key: value for key, value in data.items() if not (placed and key in _PLACED)},
    }


def run_image(one: IndexedRun, named: NamedFile | None, *, changed: bool = False) -> OpenImage:
    """Open the image that a record of a run names; ``changed`` is as in `open_image`.

    Raises:
        ImageError: it is not shown: as in `open_image`, or the run was read from a file, which anybody may have
            written; or the record names no file.
    """
    if named is None:
        raise ImageError(Reason.NO_FILE, "this record names no file")
    if one.overview is not None and FROM_FILE.fullmatch(one.overview.run.destination):
        raise ImageError(Reason.ELSEWHERE, "the run is read from a file of OTLP, which holds no images")
    return open_image(named, changed=changed)


def image_info(one: IndexedRun, named: NamedFile | None) -> Json:
    """Return what is known of an image: `shown_info` of one that is shown, else `error_info`."""
    try:
        image = run_image(one, named)
    except ImageError as error:
        return error_info(error)
    image.file.close()
    return shown_info(image.head, image.size)


def shown_info(head: ImageHead, size: int) -> Json:
    """Return ``type``, ``width`` and ``height`` in pixels, and ``size`` in bytes of an image."""
    return {**head._asdict(), "size": size}


def error_info(error: ImageError) -> Json:
    """Return why an image is not shown: ``error`` as text, ``reason`` as a word, and what is known of it besides."""
    said = {"error": str(error), "reason": str(error.reason)}
    return said if error.head is None else said | shown_info(error.head, error.size or 0)
