"""A deployment: its dispatch calls the served endpoint."""

from __future__ import annotations

from typing import Any

from synapse_sdk.plugins.actions.inference import BaseServeDeployment


class ServeDeployment(BaseServeDeployment):
    """Answers with nothing."""

    async def infer(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}

    async def _get_model(self, model_info: dict[str, Any]) -> Any:
        return model_info
