"""The images of a run inside of its page's file, as far as there is room for them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from synapse_otel.runs.image_files import ImageError, OpenImage, Reason
from synapse_otel.runs.live.entry import Json
from synapse_otel.runs.live.followed_run import FollowedRun
from synapse_otel.runs.live.images import error_info, image_rows, run_image, shown_info
from synapse_otel.runs.live.index import IndexedRun

_MOST: Final = 5_000
"""Images that the page of a file knows of, at most: the last ones."""


class PageImages:
    """The images that a page's file holds.

    Args:
        one: the run as its folder tells.
        found: all that was read of it.
        limit: bytes of all images together, before they are written as text.
    """

    def __init__(self, one: IndexedRun, found: FollowedRun, limit: int) -> None:
        self._one = one
        self._found = found
        self._limit = limit
        self._room = limit
        self._urls: dict[str, str] = {}
        self._keys: dict[tuple[int, int], str] = {}
        self._infos: Json = {}
        self._rows = image_rows(found.logs, -_MOST, _MOST)
        for row in _latest_first(self._rows["rows"]):
            self._infos[str(row["n"])] = self._take(row["n"])

    def written(self) -> Json:
        """Return what the page needs: ``rows`` as `image_rows`, ``infos`` by a record's number, ``urls`` by a key.

        An info names the key of its image's URL; two records that name one file share it.
        """
        return {"rows": self._rows, "infos": self._infos, "urls": self._urls}

    def note(self) -> str:
        """Return how many images the file holds, and why not more; empty if it holds all of them."""
        reasons = [info.get("reason") for info in self._infos.values()]
        held, total = reasons.count(None), self._rows["total"]
        if held == total:
            return ""
        left_out = total - len(reasons) + reasons.count(Reason.LEFT_OUT)
        said = [f"{held:,} of {total:,} images are in this file"]
        if left_out:
            said.append(f"the limit is {self._limit >> 20:,} MiB")
        if others := total - held - left_out:
            said.append(f"{others:,} cannot be shown: gone, changed, or no image")
        return "; ".join(said)

    def _take(self, at: int) -> Json:
        try:
            image = run_image(self._one, self._found.logs.file(at))
            with image.file:
                return shown_info(image.head, image.size) | {"key": self._key(image)}
        except ImageError as error:
            return error_info(error)

    def _key(self, image: OpenImage) -> str:
        known = self._keys.get(image.identity)
        if known is not None:
            return known
        if image.size > self._room:
            raise ImageError(Reason.LEFT_OUT, "the image is left out of this file", image.head, image.size)
        data = image.file.read(image.size)
        self._room -= len(data)
        key = self._keys[image.identity] = str(len(self._keys))
        self._urls[key] = f"data:{image.head.type};base64,{b64encode(data).decode()}"
        return key


def _latest_first(rows: list[Json]) -> list[Json]:
    """Return rows in the order in which they get room: the latest image of each place, then those before them."""
    seen: dict[Any, int] = {}
    ranked = []
    for row in reversed(rows):
        place = row["category"], row["group"], row["index"]
        seen[place] = seen.get(place, 0) + 1
        ranked.append((seen[place], row))
    return [row for _rank, row in sorted(ranked, key=lambda one: one[0])]
