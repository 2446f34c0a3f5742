"""An HTTP client for queries that says in one line what is wrong with a backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import unquote

import urllib3
from urllib3.exceptions import HTTPError, IncompleteRead, NewConnectionError, ProtocolError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout, parse_url

from synapse_otel.otlp.destination import shown_url

_LARGEST: Final = 256 << 20
"""Bytes of an answer; a page has a few MiB."""
_SHOWN: Final = 200
_OK: Final = 200
_NOT_FOUND: Final = 404


class BackendError(Exception):
    """A backend could not be asked, or did not answer as it should; the message is one line."""


class Client:
    """Asks one backend."""

    def __init__(self, name: str, url: str, variable: str, timeout_seconds: float) -> None:
        """Connect at the first request.

        Args:
            name: what the backend is called.
            url: its base URL; a user and password in it are sent as basic authentication.
            variable: the environment variable that sets the URL.
            timeout_seconds: how long the backend may be silent.
        """
        self.name = name
        self._variable = variable
        parsed = parse_url(url)
        self._url = parsed._replace(auth=None).url
        self._shown = shown_url(self._url)
        headers = urllib3.make_headers(accept_encoding="gzip")
        if parsed.auth:
            headers |= urllib3.make_headers(basic_auth=unquote(parsed.auth))
        self._timeout_seconds = timeout_seconds
        timeout = Timeout(connect=min(timeout_seconds, 10.0), read=timeout_seconds)
        self._pool = urllib3.PoolManager(headers=headers, timeout=timeout, retries=False)

    def error(self, what: str) -> BackendError:
        """Return an error of this backend."""
        return BackendError(f"{self.name} at {self._shown} {what}; {self._variable} sets its address")

    def get(self, path: str, fields: Mapping[str, str] | None = None) -> bytes | None:
        """Return the whole answer; None for 404.

        Raises:
            BackendError: there is none.
        """
        with self._answer("GET", path, fields) as answer:
            if answer.status == _NOT_FOUND:
                return None
            self._check(answer)
            data = answer.read(_LARGEST + 1, decode_content=True)
            if len(data) > _LARGEST:
                raise self.error(f"answered with more than {_LARGEST >> 20} MiB")
            return data

    def post(self, path: str, fields: Mapping[str, str]) -> bytes:
        """Return the whole answer to a form, which may be longer than a URL.

        Raises:
            BackendError: there is none.
        """
        return b"".join(self.stream(path, fields))

    def stream(self, path: str, fields: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the answer to a form in parts.

        Raises:
            BackendError: there is none, or it breaks off.
        """
        size = 0
        with self._answer("POST", path, fields) as answer:
            self._check(answer)
            for part in answer.stream(1 << 16, decode_content=True):
                size += len(part)
                if size > _LARGEST:
                    raise self.error(f"answered with more than {_LARGEST >> 20} MiB")
                yield part

    @contextmanager
    def _answer(self, method: str, path: str, fields: Mapping[str, str] | None) -> Iterator[BaseHTTPResponse]:
        answer = None
        try:
            url = self._url.rstrip("/") + path
            answer = (
                self._pool.request("GET", url, fields=dict(fields or {}), preload_content=False)
                if method == "GET"
                else self._pool.request(
                    method, url, fields=dict(fields or {}), encode_multipart=False, preload_content=False
                )
            )
            yield answer
        except NewConnectionError as error:  # urllib3 counts it among the timeouts
            raise self.error(f"could not be asked: {_words(error).rpartition('new connection: ')[2]}") from None
        except urllib3.exceptions.TimeoutError:
            raise self.error(f"did not answer within {self._timeout_seconds:g} s") from None
        except ProtocolError as error:
            raise self.error(_broken(error)) from None
        except (HTTPError, OSError) as error:
            raise self.error(f"could not be asked: {_words(error)}") from None
        finally:
            if answer is not None:
                answer.close()  # of one that was read to its end, the connection is kept

    def _check(self, answer: BaseHTTPResponse) -> None:
        if answer.status != _OK:
            text = " ".join(answer.read(4096, decode_content=True).decode(errors="replace").split())
            raise self.error(f"answered {answer.status}: {text[:_SHOWN]}")


def _broken(error: ProtocolError) -> str:
    broken = next((one for one in error.args if isinstance(one, IncompleteRead)), None)
    if broken is None:
        return f"could not be asked: {_words(error)}"
    return f"answered only partly: it broke off after {broken.partial} bytes"


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN] or type(error).__name__
