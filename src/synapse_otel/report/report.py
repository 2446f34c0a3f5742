"""`Report`: a recording as it is shown in a terminal."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from synapse_otel.recording import Recording
from synapse_otel.report.curves import curves
from synapse_otel.report.failures import failures
from synapse_otel.report.glyphs import ASCII, UNICODE
from synapse_otel.report.messages import messages
from synapse_otel.report.page import Page
from synapse_otel.report.progress import progress
from synapse_otel.report.summary import foot, head
from synapse_otel.report.usage import usage
from synapse_otel.report.waterfall import waterfall


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
