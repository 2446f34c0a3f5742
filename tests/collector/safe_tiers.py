"""Both tiers with everything on: certificates and tokens between job, agent and gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from tests.sink import Sink
from tools.stack.stack import Stack

TOKEN = "the-token-of-jobs"
AGENT_TOKEN = "the-token-of-agents"


class Safe:
    """Both tiers with everything on: the agent shows a certificate and takes tokens, the gateway asks for both."""

    def __init__(
        self,
        folder: Path,
        sink: Sink,
        *,
        gateway: Mapping[str, str] | None = None,
        programs: Mapping[str, str] | None = None,
        files: Mapping[str, Sequence[Path]] | None = None,
    ) -> None:
        """Prepare the tiers before a sink; `gateway` are further variables of the gateway, all else is Stack's."""
        self.folder = folder
        self.sink = sink
        self._make_certificates()
        for name, token in {"jobs": TOKEN, "agents": AGENT_TOKEN, "strangers": "a-stranger's"}.items():
            self.path(f"{name}.tokens").write_text(f"- {token}\n", encoding="utf-8")
        self.stack = Stack(
            ("agent", "gateway"),
            directory=folder,
            environments={
                "agent": self.serving("server") | self.sending(),
                "gateway": {
                    **self.serving("mutual", tokens="agents.tokens"),
                    "COLLECTOR_TLS_CLIENT_CA_FILE": str(self.path("ca.pem")),
                    "COLLECTOR_LOGS_ENDPOINT": sink.url,
                    "COLLECTOR_METRICS_ENDPOINT": sink.url,
                    **(gateway or {}),
                },
            },
            programs=programs,
            files=files,
        )

    def path(self, name: str) -> Path:
        return self.folder / name

    def _make_certificates(self) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(str(self.path("ca.pem")))
        long_ago = datetime.now(UTC) - timedelta(days=2)
        owners: dict[str, tuple[trustme.CA, dict[str, Any]]] = {
            "server": (authority, {}),
            "expired": (authority, {"not_before": long_ago, "not_after": long_ago + timedelta(days=1)}),
            "stranger": (stranger, {}),
        }
        for name, (issuer, options) in owners.items():
            certificate = issuer.issue_cert("127.0.0.1", **options)
            certificate.cert_chain_pems[0].write_to_path(str(self.path(f"{name}.pem")))
            certificate.private_key_pem.write_to_path(str(self.path(f"{name}.key")))

    def serving(self, tls: str, *, certificate: str = "server", tokens: str = "jobs.tokens") -> dict[str, str]:
        """Return what makes a tier's receiver safe."""
        return {
            "COLLECTOR_TLS": tls,
            "COLLECTOR_TLS_CERT_FILE": str(self.path(f"{certificate}.pem")),
            "COLLECTOR_TLS_KEY_FILE": str(self.path(f"{certificate}.key")),
            "COLLECTOR_AUTH": "token",
            "COLLECTOR_TOKEN_FILE": str(self.path(tokens)),
        }

    def sending(self, *, certificate: str = "server", tokens: str = "agents.tokens") -> dict[str, str]:
        """Return what the agent shows to the gateway."""
        return {
            "COLLECTOR_GATEWAY_SCHEME": "https",
            "COLLECTOR_GATEWAY_CA_FILE": str(self.path("ca.pem")),
            "COLLECTOR_GATEWAY_CERT_FILE": str(self.path(f"{certificate}.pem")),
            "COLLECTOR_GATEWAY_KEY_FILE": str(self.path(f"{certificate}.key")),
            "COLLECTOR_GATEWAY_AUTH": "token",
            "COLLECTOR_GATEWAY_TOKEN_FILE": str(self.path(tokens)),
        }

    def address(self, url: str) -> str:
        return url.replace("http://", "https://")
