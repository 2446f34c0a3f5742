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
        return f"it wants other credentials: {_OTLP}_HEADERS=Authorization=Bearer%20... (headers now: {sent})"
    if status in {"404", "405", "UNIMPLEMENTED"}:
        return _path(endpoint, signal)
    if status.startswith("3"):
        return f"redirects are not followed, as headers would go along: set {_OTLP}_ENDPOINT to where it points"
    if status == "415":
        return f"it takes no protobuf, or no {endpoint.compression}: is it an OTLP receiver?"
    if isinstance(outcome, Invalid | TooLarge):
        return "it does not take the smallest of records: is it an OTLP receiver of this signal?"
    if status == "200":
        return "something else than an OTLP receiver answers there: a web page, a proxy's login"
    if status:
        return "the server, or a proxy before it, is in trouble: its log says more. Records wait, and are sent later"
    if reason.startswith("TLS with"):
        return _tls(reason)
    if isinstance(outcome, Retry):
        return _unreached(reason, endpoint)
    return ""


def _path(endpoint: Endpoint, signal: Signal) -> str:
    name = signal.name.lower()
    if endpoint.protocol == "grpc":
        return f"no OTLP receiver of {name} there; over HTTP it may be one: {_OTLP}_PROTOCOL=http/protobuf"
    wanted = f"/v1/{name}"
    if endpoint.url.count("/v1/") > 1:
        return f"{_OTLP}_ENDPOINT is the base address: leave {wanted} away, it is added"
    if not endpoint.url.endswith(wanted):
        return f"{_OTLP}_{name.upper()}_ENDPOINT is taken as it is: it usually ends with {wanted}"
    return f"is there a path before {wanted}, as /otlp? Does its receiver take {name}?"


def _tls(reason: str) -> str:
    if "wrong version number" in reason or "record layer failure" in reason or "unknown protocol" in reason:
        return "it speaks no TLS there: the address begins with http:// then"
    if "self-signed" in reason or "unable to get local issuer" in reason:
        return f"an authority that this machine does not know: {_OTLP}_CERTIFICATE names its certificate's file"
    if "ostname mismatch" in reason or "IP address mismatch" in reason:
        return "the certificate is for another name: use that one in the address"
    if "expired" in reason:
        return "the server's certificate has to be renewed, or this machine's clock set"
    if "certificate required" in reason or "bad certificate" in reason:
        return f"it wants a certificate of yours: {_OTLP}_CLIENT_CERTIFICATE and {_OTLP}_CLIENT_KEY"
    return ""


def _unreached(reason: str, endpoint: Endpoint) -> str:
    if "refused" in reason:
        return "nothing listens there: is the Collector running? OTLP over HTTP is port 4318, over gRPC 4317"
    if "cannot be resolved" in reason:
        return "is the name right, and known where the job runs?"
    if "does not speak HTTP" in reason or ("closed the connection" in reason and endpoint.protocol != "grpc"):
        return f"is it a port of gRPC? {_OTLP}_PROTOCOL=grpc; or does it want TLS: https://"
    return "is the way there open: firewall, proxy (HTTPS_PROXY, NO_PROXY), network policy?"
