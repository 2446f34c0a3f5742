"""Run in the SDK's Python: ``sdk_burst.py HOST COUNT FILE``; so many ``ctx.log`` through the platform's own logger.

Writes as JSON how long the calls and the logger's end took, in seconds, and what the logger says that it lost.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Log, and write what was measured."""
    from pydantic import BaseModel
    from synapse_sdk.clients.backend import BackendClient
    from synapse_sdk.loggers import JobLogger
    from synapse_sdk.plugins.action import BaseAction
    from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext

    host, count, file = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])

    class Nothing(BaseModel):
        """No parameters."""

    class Logging(BaseAction[Nothing]):
        """Logs without a pause."""

        def execute(self) -> dict[str, float]:
            begin = time.monotonic()
            for number in range(count):
                self.ctx.log("tick", {"number": number})
            return {"calls": time.monotonic() - begin}

    client = BackendClient(base_url=host, access_token="token")  # noqa: S106 - of nobody
    logger = JobLogger(client=client, job_id="job-1")
    begin = time.monotonic()
    found = Logging.dispatch(
        {}, RuntimeContext(logger=logger, env=PluginEnvironment({}), job_id="job-1", client=client)
    )
    logger.finish()
    found = {**found, "whole": time.monotonic() - begin, "lost": logger.log_loss_report()}
    file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
