"""An export: the work is done in a pool of threads, and told from there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction
from synapse_sdk.plugins.models.logger import LogLevel


class ExportParams(BaseModel):
    """What the export is told."""

    items: int = 8
    together: bool = False


class ExportAction(BaseAction[ExportParams]):
    """Exports items in threads, one after the other or together; each thread tells of its item."""

    def execute(self) -> dict[str, Any]:
        items = self.params.items
        with ThreadPoolExecutor(3) as pool:
            if self.params.together:
                list(pool.map(self._export, range(items)))
            else:
                for done in range(1, items + 1):
                    pool.submit(self._export, done - 1).result()
                    self.set_progress(done, items, "export")
        self.set_metrics({"exported": items}, "export")
        return {"exported": items}

    def _export(self, item: int) -> None:
        self.ctx.log("exported", {"item": item})
        if item == 3:
            self.ctx.log_message(f"item {item} has no picture", LogLevel.WARNING)
