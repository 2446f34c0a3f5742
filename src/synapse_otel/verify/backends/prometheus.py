"""Asks Prometheus for raw samples: a range selector in an instant query gives each with its own time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from synapse_otel import semconv
from synapse_otel.semconv.prometheus import label
from synapse_otel.verify.backends.client import Client
from synapse_otel.verify.backends.pages import pages
from synapse_otel.verify.samples import Key, SeriesSamples

_SAMPLES: Final = 50_000
_LONGEST: Final = 6 * 3600 * 1000
_DAY: Final = 86_400.0
_YEAR: Final = 366 * _DAY
_JOB: Final = label(semconv.JOB_ID)
_INSTANCE: Final = "instance"


class _Series(msgspec.Struct):
    """A series of an answer: of a range selector all its samples, of an instant one a single one."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None


class _Data(msgspec.Struct):
    result: list[_Series]


class _Answer(msgspec.Struct):
    status: str
    data: _Data
    warnings: list[str] = []


_decode: Final = msgspec.json.Decoder(_Answer).decode


def look_up_samples(client: Client, every: Iterable[SeriesSamples]) -> None:
    """Compare the samples of series with those in Prometheus.

    Raises:
        BackendError: it cannot be asked, answers only partly, or with another run's series.
    """
    groups: dict[tuple[str, str, str], dict[Key, SeriesSamples]] = {}
    for samples in every:
        key = samples.key
        groups.setdefault((key.name, key.instance, key.job), {})[key] = samples
    for (name, instance, job), members in groups.items():
        selector = _selector(name, instance, job)
        matcher = _Matcher(client, members, instance, job)
        times = [samples.placed() for samples in members.values()]
        for begin, end in pages(times, most=_SAMPLES, longest=_LONGEST):
            # A range does not include its left end.
            query = f"{selector}[{end - begin}ms]"
            for found in _ask(client, query, (end - 1) / 1000):
                known = matcher.find(found.metric)
                if known is not None:
                    members[known].match([(round(time * 1000), float(value)) for time, value in found.values])
    for samples in every:
        samples.finish()


def look_up_last(client: Client, keys: Sequence[Key], begun: float, until: float) -> dict[Key, float]:
    """Return the last values of series between two Unix times in seconds.

    Raises:
        BackendError: it cannot be asked, or answers only partly.
    """
    found: dict[Key, float] = {}
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in keys:
        groups.setdefault((key.instance, key.job), []).append(key)
    seconds = int(min(max(until - begun, _DAY), _YEAR))  # the clock by which the run began may have been wrong
    for (instance, job), members in groups.items():
        names = "|".join(sorted({key.name for key in members}))
        selector = _selector("", instance, job, f"__name__=~{_quoted(names)}")
        matcher = _Matcher(client, members, instance, job)
        for one in _ask(client, f"last_over_time({selector}[{seconds}s])", until):
            known = matcher.find(one.metric)
            if known is not None and one.value is not None:
                found[known] = float(one.value[1])
    return found


def _selector(name: str, instance: str, job: str, further: str = "") -> str:
    matchers = [further] if further else []
    matchers += [f"{own}={_quoted(value)}" for own, value in ((_INSTANCE, instance), (_JOB, job)) if value]
    return f"{name}{{{','.join(matchers)}}}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _ask(client: Client, query: str, time: float) -> Iterator[_Series]:
    data = client.post("/api/v1/query", {"query": query, "time": f"{time:.3f}"})
    try:
        answer = _decode(data)
    except (ValueError, msgspec.MsgspecError):
        raise client.error(f"answered only partly, or not in JSON: {data[-80:].decode(errors='replace')!r}") from None
    if answer.status != "success" or answer.warnings:
        raise client.error(f"answered only partly: {'; '.join(answer.warnings) or answer.status}")
    yield from answer.data.result


class _Matcher:
    """Finds the key of an answer's series, which has labels of its resource and of Collectors, too."""

    def __init__(self, client: Client, keys: Iterable[Key], instance: str, job: str) -> None:
        self._client = client
        self._instance = instance
        self._job = job
        self._keys = {(key.name, key.labels): key for key in keys}
        names = {frozenset(name for name, _ in key.labels) for key in keys}
        self._names = sorted(names, key=len, reverse=True)

    def find(self, metric: dict[str, str]) -> Key | None:
        """Return the key with the most labels that the series has.

        Raises:
            BackendError: it is another run's.
        """
        if metric.get(_INSTANCE, "") != self._instance or metric.get(_JOB, "") != self._job:
            raise self._client.error(f"answered with another run's series, {metric}")
        for names in self._names:
            if names <= metric.keys():
                key = self._keys.get((metric["__name__"], frozenset((name, metric[name]) for name in names)))
                if key is not None:
                    return key
        return None
