"""An action that speaks HTTP itself."""

from __future__ import annotations

from typing import Any

import httpx
import requests
from pydantic import BaseModel
from synapse_sdk.plugins.action import BaseAction


class CallParams(BaseModel):
    """Whom to call."""

    url: str


class CallAction(BaseAction[CallParams]):
    """Calls by requests and by httpx."""

    def execute(self) -> dict[str, Any]:
        first = requests.get(f"{self.params.url}/by-requests", timeout=10)
        with httpx.Client() as client:
            second = client.post(f"{self.params.url}/by-httpx", json={"x": 1})
        self.log("called", {"statuses": [first.status_code, second.status_code]})
        return {"statuses": [first.status_code, second.status_code]}
