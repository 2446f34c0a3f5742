"""The recording receiver of `tests.sink`, over gRPC.

Answers are made by a function of the request, as there; what is no success is a `Failure`::

    with GrpcSink() as sink:
        sink.answer = lambda request: Failure("UNAVAILABLE", "busy") if len(sink.requests) < 3 else ACCEPT
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Condition, Event
from typing import Any, Self

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.sink import ACCEPT, Answer, Request, Sink

PATHS = {"LogsService": "/v1/logs", "MetricsService": "/v1/metrics", "TraceService": "/v1/traces"}
"""By service: the path over HTTP, by which requests are told apart here too."""


@dataclass(frozen=True)
class Failure(Answer):
    """A status that is not ``OK``."""

    code: str = "UNAVAILABLE"
    words: str = ""
    retry_after_seconds: float | None = None
    details: bytes = b""

    @property
    def accepts(self) -> bool:
        return False


def failure(code: str, words: str = "", retry_after_seconds: float | None = None, details: bytes = b"") -> Failure:
    return Failure(code=code, words=words, retry_after_seconds=retry_after_seconds, details=details)


def retry_info(seconds: float) -> bytes:
    """Return the details of a status that asks to be left alone for a while."""
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))))
    return Status(code=14, message="later", details=[detail]).SerializeToString()


class GrpcSink(Sink):
    """A gRPC receiver on loopback. Use it as a context manager."""

    def __init__(
        self,
        answer: Callable[[Request], Answer] | None = None,
        *,
        address: str = "127.0.0.1:0",
        credentials: grpc.ServerCredentials | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> None:
        self.answer = answer or (lambda _request: ACCEPT)
        self.requests: list[Request] = []
        self.over = Event()
        self._changed = Condition()
        self._grpc = grpc.server(ThreadPoolExecutor(8), (_Methods(self),), options=(("grpc.so_reuseport", 0), *options))
        add = self._grpc.add_insecure_port
        self._port = self._grpc.add_secure_port(address, credentials) if credentials else add(address)
        self._secure = credentials is not None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"{'https' if self._secure else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._grpc.stop(0).wait()

    def give(self, path: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer one call."""
        answer = self.take(path, dict(context.invocation_metadata()), body)
        if answer.never:
            self.over.wait()
        if isinstance(answer, Failure):
            details = retry_info(answer.retry_after_seconds) if answer.retry_after_seconds else answer.details
            if details:
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(getattr(grpc.StatusCode, answer.code), answer.words)
        return answer.body


class _Methods(grpc.GenericRpcHandler):
    def __init__(self, sink: GrpcSink) -> None:
        self._sink = sink

    def service(self, handler_call_details: Any) -> Any:
        path = PATHS[handler_call_details.method.split(".")[-1].partition("/")[0]]
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self._sink.give(path, body, context))
