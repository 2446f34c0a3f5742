"""Actions that do not end as they should."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction


class EndlessParams(BaseModel):
    """How much to tell before waiting for the end."""

    records: int = 20
    marker: str = ""


class EndlessAction(BaseAction[EndlessParams]):
    """Tells `records` things, writes the file `marker`, and waits to be killed."""

    def execute(self) -> None:
        for record in range(self.params.records):
            self.log("tick", {"record": record})
        self.set_progress(1, 10, "endless")
        if self.params.marker:
            Path(self.params.marker).write_text(str(os.getpid()))
        while True:
            time.sleep(0.1)


class EndParams(BaseModel):
    """How to end."""

    how: str = "exit"


class EndAction(BaseAction[EndParams]):
    """Ends the process instead of returning."""

    def execute(self) -> None:
        self.log("ending", {"how": self.params.how})
        if self.params.how == "exit":
            sys.exit(3)
        if self.params.how == "interrupt":
            raise KeyboardInterrupt
        sys.stdout.flush()
        os._exit(4)
