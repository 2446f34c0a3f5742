"""What is asked of a broker over Kafka's own protocol: whether it serves, topics, offsets, groups; no library needed.

Only the oldest version of each request that Kafka 4 still takes, on a listener without TLS.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from tools.stack.errors import AnswerError
from tools.stack.polling import eventually
from tools.stack.ports import LOOPBACK

_API_VERSIONS: Final = (18, 0)
_CREATE_TOPICS: Final = (19, 2)
_LIST_OFFSETS: Final = (2, 1)
_OFFSET_FETCH: Final = (9, 1)
_DESCRIBE_GROUPS: Final = (15, 0)
_TIMEOUT_SECONDS: Final = 10.0
_END: Final = -1
"""As a time: the offset that the next message gets."""


class Reader:
    """Reads an answer from its beginning."""

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        """Return a signed integer of so many bytes."""
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big", signed=True)

    def text(self) -> str:
        """Return a text, empty where it is null."""
        return self._bytes(2).decode()

    def data(self) -> bytes:
        """Return bytes, none where they are null."""
        return self._bytes(4)

    def _bytes(self, size_bytes: int) -> bytes:
        size = max(self.number(size_bytes), 0)
        self._at += size
        return self._data[self._at - size : self._at]


def serves(port: int) -> bool:
    """Tell whether a broker on this port of the loopback address answers requests."""
    try:
        answer = ask(port, _API_VERSIONS, b"")
    except OSError:
        return False
    return answer.number(2) == 0


def create_topics(port: int, names: Sequence[str], partitions: int, configs: Mapping[str, str] | None = None) -> None:
    """Create topics of one replica, and return when each can be used; AnswerError where the broker refuses one."""
    settings = _array([_text(name) + _text(value) for name, value in (configs or {}).items()])
    topics = [_text(name) + struct.pack(">ihi", partitions, 1, 0) + settings for name in names]
    answer = ask(port, _CREATE_TOPICS, _array(topics) + struct.pack(">ib", int(_TIMEOUT_SECONDS * 1000), 0))
    answer.number(4)  # how long the broker throttled us
    for _ in range(answer.number(4)):
        name, code, message = answer.text(), answer.number(2), answer.text()
        if code:
            raise AnswerError(f"topic {name}: {message or code}")
    for name in names:
        eventually(partial(_is_led, port, name, partitions))


def _is_led(port: int, topic: str, partitions: int) -> bool:
    try:
        return len(end_offsets(port, topic, partitions)) == partitions
    except AnswerError:  # the broker has not made all of them yet
        return False


def end_offsets(port: int, topic: str, partitions: int) -> list[int]:
    """Return by partition the offset that its next message gets."""
    wanted = _array([struct.pack(">iq", number, _END) for number in range(partitions)])
    answer = ask(port, _LIST_OFFSETS, struct.pack(">i", -1) + _array([_text(topic) + wanted]))
    found = {}
    for _ in range(answer.number(4)):
        answer.text()
        for _ in range(answer.number(4)):
            number, code, _time, offset = (answer.number(size) for size in (4, 2, 8, 8))
            _check(code, f"topic {topic}")
            found[number] = offset
    return [found[number] for number in range(partitions)]


def committed_offsets(port: int, group: str, topic: str, partitions: int) -> list[int]:
    """Return by partition the offset that a consumer group has committed, -1 for none."""
    wanted = _array([struct.pack(">i", number) for number in range(partitions)])
    answer = ask(port, _OFFSET_FETCH, _text(group) + _array([_text(topic) + wanted]))
    found = {}
    for _ in range(answer.number(4)):
        answer.text()
        for _ in range(answer.number(4)):
            number, offset = answer.number(4), answer.number(8)
            answer.text()
            _check(answer.number(2), f"topic {topic}")
            found[number] = offset
    return [found[number] for number in range(partitions)]


def shares(port: int, group: str) -> list[int]:
    """Return how many partitions each member of a consumer group has; empty while they are distributed anew."""
    answer = ask(port, _DESCRIBE_GROUPS, _array([_text(group)]))
    answer.number(4)
    code, _name, state = answer.number(2), answer.text(), answer.text()
    _check(code, f"group {group}")
    answer.text(), answer.text()  # kind of the group, and how it distributes
    found = []
    for _ in range(answer.number(4)):
        answer.text(), answer.text(), answer.text()  # the member's id, its client's, its host
        answer.data()  # what it asked for
        found.append(_partitions(Reader(answer.data())))
    return found if state == "Stable" else []


def _partitions(assignment: Reader) -> int:
    assignment.number(2)  # version
    count = 0
    for _ in range(assignment.number(4)):
        assignment.text()
        count += len([assignment.number(4) for _ in range(assignment.number(4))])
    return count


def ask(port: int, api: tuple[int, int], body: bytes) -> Reader:
    """Send one request and return the answer to it; OSError where there is no broker, or it goes away."""
    request = struct.pack(">hhi", *api, 1) + _text("stack") + body
    with socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = int.from_bytes(_received(connection, 4), "big")
        answer = Reader(_received(connection, size))
    answer.number(4)  # the number of our request
    return answer


def _received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


def _check(code: int, what: str) -> None:
    if code:
        raise AnswerError(f"{what}: the broker answered with Kafka's error {code}")


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def _array(items: Sequence[bytes]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(items)
