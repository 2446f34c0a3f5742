"""What two runs of one case must have alike, byte for byte; all that is taken away is taken away here.

Of texts (standard output and error, logs of workers and jobs, texts of exceptions, bodies, paths):
- clock times, durations that are measured (ETA, elapsed, remaining), addresses of objects, process ids, Ray's ids;
- the folder and the name of the run, which differ so that two runs can be told apart;
- frames of synapse_otel and wrapt in a printed traceback: a call that passes through us is seen there;
- of a driver on Ray, what Ray says of a package, which only the first job has to upload, and standard error, where Ray
  speaks of the cluster; Ray is told not to copy the workers' lines, whose own logs are compared.

Of standard error under `synapse-otel run`: the line in which it says how its command ended.

Of requests: the header `traceparent`; the value of Content-Length, as bodies have times in them.

A logger of the platform that sends from a thread of its own (2026.2.17) sends when its clock says. Of these requests
are compared: every log, in order, whichever request it came in; the last progress and the last metrics; every status.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

_SECONDS: Final = r"(?:\d+(?:\.\d+)?(?:e-\d+)?)"
_TEXT: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\+00:00)?"), "<time>"),
    (re.compile(rf"ETA: {_SECONDS}s"), "ETA: <seconds>s"),
    (re.compile(r"\[\d\d:\d\d<(?:\d\d:\d\d|\?)\]?"), "[<time>]"),
    (
        re.compile(rf"(['\"](?:time_remaining|time_elapsed|elapsed_time|wait_seconds|timestamp)['\"]: ){_SECONDS}"),
        r"\1<s>",
    ),
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"pid[=:] ?\d+"), "pid=<id>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b|_ray_pkg_[0-9a-f]+"), "<id>"),
)
_PACKAGE: Final = re.compile(r"^.*INFO (?:dashboard_sdk|packaging)\.py:\d+ -- .*\n", re.MULTILINE)
_TIMES: Final = frozenset({"datetime", "timestamp", "time_remaining", "time_elapsed", "elapsed_time"})
_OUR_FRAME: Final = re.compile(
    r'^(?P<indent>[ |]*)File "[^"]*/(?:synapse_otel|wrapt)/[^"]*", line \d+, in .*\n', re.MULTILINE
)


def text(value: str, run: str, folder: str) -> str:
    """Return a text without what differs from run to run."""
    value = _without_our_frames(_PACKAGE.sub("", value)).replace(folder, "<folder>").replace(f"/{run}/", "/<run>/")
    value = value.replace(run, "<run>")
    for pattern, instead in _TEXT:
        value = pattern.sub(instead, value)
    return value


def _without_our_frames(value: str) -> str:
    """Take our frames out of tracebacks: the line that names the file, and the source below it."""
    kept: list[str] = []
    leaving = -1
    for line in value.splitlines(keepends=True):
        if found := _OUR_FRAME.match(line):
            leaving = len(found["indent"])
        elif leaving >= 0 and len(line) - len(line.lstrip(" |")) <= leaving:
            leaving = -1
        if leaving < 0:
            kept.append(line)
    return "".join(kept)


def anything(value: Any, run: str, folder: str) -> Any:
    """Return plain data with every text in it normalised, and measured times named instead."""
    if isinstance(value, str):
        return text(value, run, folder)
    if isinstance(value, list):
        return [anything(item, run, folder) for item in value]
    if isinstance(value, dict):
        return {
            key: "<time>" if key in _TIMES and item is not None else anything(item, run, folder)
            for key, item in value.items()
        }
    return value


def request(kept: dict[str, Any], run: str, folder: str) -> dict[str, Any]:
    """Return a request as it is compared; its body is read, so that times are found, and keeps its order."""
    try:
        body = json.loads(kept["body"]) if kept["body"] else None
    except json.JSONDecodeError:
        body = kept["body"]
    headers = [
        [name, "<length>" if name.lower() == "content-length" else value]
        for name, value in kept["headers"]
        if name.lower() != "traceparent"
    ]
    return {
        "method": kept["method"],
        "path": text(kept["path"], run, folder),
        "headers": headers,
        "body": json.dumps(anything(body, run, folder), ensure_ascii=False),
    }


def sent_in_background(requests: list[dict[str, Any]], *, polled: bool) -> dict[str, Any]:
    """Return normalised requests of a logger that sends when its clock says.

    Args:
        requests: from `request`.
        polled: who submitted the job tells its status too, when it happens to ask: only the job's own are kept.
    """
    logs: list[Any] = []
    statuses: list[Any] = []
    last: dict[str, Any] = {}
    others: list[Any] = []
    for one in requests:
        body = json.loads(one["body"])
        if one["path"] == "/logs/":
            logs.extend(body if isinstance(body, list) else [body])
        elif one["path"].startswith("/jobs/") and "status" in body:
            if not polled or "progress_record" in body:
                statuses.append(body)
        elif one["path"].startswith("/jobs/"):
            last.update(body)
        else:
            others.append(one)
    headers = sorted({json.dumps([one["method"], one["path"], one["headers"]]) for one in requests})
    return {"logs": logs, "statuses": statuses, "last": last, "others": others, "headers": headers}
