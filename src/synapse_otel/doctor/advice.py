"""What to do about an answer: the usual mistakes, by what comes back."""

from __future__ import annotations

import re
from typing import Final

from synapse_otel.otlp.destination import Endpoint
from synapse_otel.otlp.outcome import Invalid, Outcome, Retry, TooLarge
from synapse_otel.semconv.signal import Signal

_OTLP: Final = "OTEL_EXPORTER_OTLP"


def advice(outcome: Outcome, endpoint: Endpoint, signal: Signal) -> str:  # noqa: PLR0911 - one return a mistake
    """Return what the user can do about a probe that was not accepted."""
    reason = getattr(outcome, "reason", "")
    found = re.match(r"answered (\w+)", reason)
    status = found[1] if found else ""
    if status in {"401", "403", "UNAUTHENTICATED", "PERMISSION_DENIED"}:
        sent = ", ".join(sorted(endpoint.headers)) or "none"
        return f"the credentials are wrong: {_OTLP}_HEADERS=Authorization=Bearer%20... (headers now: {sent})"
    if status in {"404", "405", "UNIMPLEMENTED"}:
        return _path(endpoint, signal)
    if status.startswith("3"):
        return f"redirects are not followed, since they would forward the headers: set {_OTLP}_ENDPOINT to the target"
    if status == "415":
        return f"it does not accept protobuf, or compression={endpoint.compression}: is it an OTLP receiver?"
    if isinstance(outcome, Invalid | TooLarge):
        return "it does not accept even a minimal record: does it receive this signal over OTLP?"
    if status == "200":
        return "the answer is not from an OTLP receiver: a web page, or a proxy's login?"
    if status:
        return "the server, or a proxy in front of it, fails: see its log. Records are kept and sent later"
    if reason.startswith("TLS with"):
        return _tls(reason)
    if isinstance(outcome, Retry):
        return _unreached(reason, endpoint)
    return ""


def _path(endpoint: Endpoint, signal: Signal) -> str:
    name = signal.name.lower()
    if endpoint.protocol == "grpc":
        return f"no OTLP receiver of {name} there; it may receive over HTTP: {_OTLP}_PROTOCOL=http/protobuf"
    wanted = f"/v1/{name}"
    if endpoint.url.count("/v1/") > 1:
        return f"{_OTLP}_ENDPOINT is the base URL: leave out {wanted}, it is appended"
    if not endpoint.url.endswith(wanted):
        return f"{_OTLP}_{name.upper()}_ENDPOINT is used as it is: it usually ends with {wanted}"
    return f"is a path missing before {wanted}, such as /otlp? Does the receiver accept {name}?"


def _tls(reason: str) -> str:
    if "wrong version number" in reason or "record layer failure" in reason or "unknown protocol" in reason:
        return "the server does not use TLS: use http:// in the address"
    if "self-signed" in reason or "unable to get local issuer" in reason:
        return f"the certificate authority is unknown here: set {_OTLP}_CERTIFICATE to the file of its certificate"
    if "ostname mismatch" in reason or "IP address mismatch" in reason:
        return "the certificate is for another host name: use that name in the address"
    if "expired" in reason:
        return "renew the server's certificate, or set this machine's clock"
    if "certificate required" in reason or "bad certificate" in reason:
        return f"the server requires a client certificate: {_OTLP}_CLIENT_CERTIFICATE and {_OTLP}_CLIENT_KEY"
    return ""


def _unreached(reason: str, endpoint: Endpoint) -> str:
    if "refused" in reason:
        return "nothing listens there: is the Collector running? OTLP over HTTP is port 4318, over gRPC 4317"
    if "cannot be resolved" in reason:
        return "is the host name right, and does it resolve where the job runs?"
    if "does not speak HTTP" in reason or ("closed the connection" in reason and endpoint.protocol != "grpc"):
        return f"is it a gRPC port ({_OTLP}_PROTOCOL=grpc), or does it need TLS (https://)?"
    return "is the connection blocked: firewall, proxy (HTTPS_PROXY, NO_PROXY), network policy?"
