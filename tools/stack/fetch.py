"""The few HTTP requests of the read-back clients and readiness probes, with the standard library."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from tools.stack.errors import AnswerError

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is reached directly, whatever proxy the environment names."""


def get_json(url: str, parameters: Sequence[tuple[str, str]] = (), *, timeout: float = 10.0) -> Any:
    """Return the parsed JSON at `url`; `timeout` in seconds. Raises as `get_text`."""
    return json.loads(get_text(url, parameters, timeout=timeout))


def get_text(url: str, parameters: Sequence[tuple[str, str]] = (), *, timeout: float = 10.0) -> str:
    """Return the text at `url`; `timeout` in seconds.

    Raises AnswerError with the server's words where it refuses, OSError where it cannot be reached.
    """
    whole = f"{url}?{urlencode(parameters)}" if parameters else url
    try:
        with _DIRECT.open(whole, timeout=timeout) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            said = error.read().decode(errors="replace").strip()
        raise AnswerError(f"{error.code} from {whole}: {said}") from error


def answers_ok(url: str, timeout: float = 2.0) -> bool:
    """Whether `url` answers with status 200 within `timeout` seconds."""
    try:
        with _DIRECT.open(url, timeout=timeout) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except urllib.error.HTTPError as error:  # 503: not yet
        error.close()
        return False
    except (OSError, ValueError):  # refused, reset: not yet
        return False
