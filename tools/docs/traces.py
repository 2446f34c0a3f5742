"""The pictures of docs/jaeger.md: `python -m tools.docs traces` runs its jobs and draws what Jaeger answers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tools.docs.blocks import ROOT
from tools.docs.jaeger_jobs import KINDS, SERVICE, Trace, see_ended, see_running, title
from tools.docs.waterfall import draw
from tools.stack.stack import Stack

FOLDER: Final = ROOT / "docs" / "images"


class Picture(NamedTuple):
    """A picture: of which job, when, with which spans opened, and what it shows."""

    kind: str
    when: Literal["running", "ended"]
    opened: tuple[str, ...]
    said: str

    @property
    def path(self) -> Path:
        """The file that it is in."""
        return FOLDER / f"jaeger-{self.kind}{'-running' if self.when == 'running' else ''}.svg"


PICTURES: Final = (
    Picture("good", "running", (), "Two steps have ended, the third is shown as begun."),
    Picture("good", "ended", ("train",), "The job and its marker, and its four steps one after the other."),
    Picture(
        "failed",
        "ended",
        ("train", "rollback train"),
        "The job and its third step are red; two rollbacks follow, each with a reference to that step.",
    ),
    Picture("killed", "ended", ("train cats",), "The job and the step that ran are red and end with the last record."),
    Picture("distributed", "ended", ("worker convert",), "Below the second step, a span for each of its two workers."),
)


def write_traces() -> list[Path]:
    """Run the jobs against a real Jaeger and write their pictures; return what was written.

    Raises StackError, OSError, RuntimeError, AssertionError.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Stack(("agent", "gateway", "jaeger"), directory=folder / "stack") as stack:
            places: Any = {"otlp": stack.otlp_http, "jaeger": stack.jaeger, "state": folder}
            running = see_running("good", "good-0", **places)
            ended = {kind: see_ended(kind, f"{kind}-1", **places) for kind in KINDS}
    for picture in PICTURES:
        trace = running if picture.when == "running" else ended[picture.kind]
        picture.path.write_text(drawn(picture, trace), encoding="utf-8")
    return [picture.path for picture in PICTURES]


def drawn(picture: Picture, trace: Trace) -> str:
    """Return a picture of its job's trace."""
    return draw(trace, title=f"{SERVICE}: {title(trace)}", said=picture.said, opened=picture.opened)
