"""The report of a run in the terminal: what a recording holds, to be seen at a glance."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from synapse_otel.runs import Recording
from synapse_otel.ui.glyphs import ASCII, UNICODE
from synapse_otel.ui.printed.curves import curves
from synapse_otel.ui.printed.failures import failures
from synapse_otel.ui.printed.messages import messages
from synapse_otel.ui.printed.page import Page
from synapse_otel.ui.printed.progress import progress
from synapse_otel.ui.printed.summary import foot, head
from synapse_otel.ui.printed.usage import usage
from synapse_otel.ui.printed.waterfall import waterfall

__all__ = ["Report"]


class Report:
    """Shows a recording: ``console.print(Report(recording))``. It takes the console's width, colours and encoding.

    Args:
        recording: what to show.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the sections, each only if there is something in it."""
        page = Page(self._recording, options.max_width, ASCII if options.ascii_only else UNICODE)
        first = True
        for section in (head, waterfall, progress, curves, usage, messages, failures, foot):
            lines = list(section(page))
            if lines and not first:
                yield Text("")
            for line in lines:
                line.overflow = "fold"
                yield line
                first = False
