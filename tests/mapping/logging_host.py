"""Programs that log, each in a fork of its own: ``python logging_host.py``, with what to run as JSON on its stdin.

For each program, with our capture of logging and without: what it showed on stderr, the level and the handlers of the
root logger at its end, and what was recorded.
"""

from __future__ import annotations

import json
import logging.config
import os
import sys
import tempfile

from synapse_otel.mapping.python_logging import capture
from synapse_otel.mapping.python_logging import handler as stdlib


def run(before, after, level):
    """Run a program, which is captured from its second part on, unless ``level`` is None; return what came of it."""
    receiver, sender = os.pipe()
    if os.fork() == 0:
        os.close(receiver)
        with tempfile.TemporaryFile() as shown:
            os.dup2(shown.fileno(), 2)
            recorded = []
            stdlib.RecordingHandler.emit = lambda _self, record: recorded.append(record.getMessage())
            variables = {"logging": logging}
            exec(before, variables)
            if level is not None:
                capture.capture_logging(level)
                capture.capture_logging(level)
            exec(after, variables)
            root = logging.getLogger()
            handlers = [type(handler).__name__ for handler in root.handlers]
            shown.seek(0)
            os.write(sender, json.dumps([shown.read().decode(), root.level, handlers, recorded]).encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as told:
        return json.loads(told.read())


if __name__ == "__main__":
    programs = json.load(sys.stdin)
    print(json.dumps([[run(before, after, None), run(before, after, level)] for before, after, level in programs]))
