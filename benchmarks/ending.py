"""How long the end of a job takes when something is wrong with the collector."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.far_side import far_side
from benchmarks.processes import Place, place, result
from benchmarks.report import Bar, Table

RECORDS = 1_000
MOST_SECONDS = 2.5


@contextmanager
def refused() -> Iterator[dict[str, str]]:
    """Yield an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    yield {"endpoint": f"http://127.0.0.1:{port}"}


@contextmanager
def _answering(answer: str, scheme: str = "http") -> Iterator[dict[str, str]]:
    with far_side(answer) as far:
        yield {"endpoint": f"{scheme}://127.0.0.1:{far.port}"}


@contextmanager
def _unresolvable() -> Iterator[dict[str, str]]:
    yield {"endpoint": "http://collector.invalid:4318"}


@contextmanager
def _wrong_name() -> Iterator[dict[str, str]]:
    import trustme

    with TemporaryDirectory() as folder:
        authority = trustme.CA()
        trusted, identity = Path(folder) / "authority.pem", Path(folder) / "identity.pem"
        authority.cert_pem.write_to_path(trusted)
        authority.issue_cert("collector.example").private_key_and_cert_chain_pem.write_to_path(identity)
        with far_side(identity=identity) as far:
            yield {"endpoint": f"https://127.0.0.1:{far.port}", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(trusted)}


BROKEN: dict[str, Callable[[], AbstractContextManager[dict[str, str]]]] = {
    "healthy": lambda: _answering("accept"),
    "refuses connections": refused,
    "accepts and never answers": lambda: _answering("silent"),
    "its name cannot be resolved": _unresolvable,
    "speaks no TLS where it should": lambda: _answering("accept", "https"),
    "shows a certificate of another name": _wrong_name,
    "answers 500": lambda: _answering("500"),
}


def ending() -> Table:
    """Return the table of ends; what waits takes no processor, so all plain SDKs wait at the same time."""
    with ExitStack() as stack, ThreadPoolExecutor(len(BROKEN)) as threads:
        started = [_start(stack, broken(), "plain SDK")[1] for broken in BROKEN.values()]
        seconds = {(what, "plain"): found for what, found in zip(BROKEN, threads.map(_ended, started), strict=True)}
    for what, broken in BROKEN.items():
        with ExitStack() as stack:
            here, process = _start(stack, broken(), "synapse-otel")
            seconds[what, "first"] = _ended(process)
            seconds[what, "again"] = _ended(here.start("leaving", records=RECORDS, contender="synapse-otel"))
    rows = [(what, *(f"{seconds[what, which]:.2f}" for which in ("plain", "first", "again"))) for what in BROKEN]
    bars = [
        Bar(
            f"end, the collector {what}" if what != "healthy" else "end, all well",
            f"{MOST_SECONDS} s",
            f"{worst:.2f} s",
            worst <= MOST_SECONDS,
        )
        for what in BROKEN
        for worst in [max(seconds[what, "first"], seconds[what, "again"])]
    ]
    head = ("the collector", "plain SDK, s", "first job, s", "second job, s")
    notes = (
        f"From the last line of the job's work to the end of its process, with {RECORDS:,} records made just before. "
        "The first job starts the shipper, the second one finds it."
    )
    return Table("end", "The end of a job", head, rows, notes, bars)


def _start(
    stack: ExitStack, broken: AbstractContextManager[dict[str, str]], contender: str
) -> tuple[Place, subprocess.Popen[str]]:
    here = stack.enter_context(place(**stack.enter_context(broken)))
    return here, here.start("leaving", records=RECORDS, contender=contender)


def _ended(process: subprocess.Popen[str]) -> float:
    """Return the seconds from the end of the job's work to the end of its process."""
    found = result(process, "a job that ends")
    return time.monotonic() - float(found["done"])
