"""The file beside a journal: bounded, whole after damage, and what it says of a time."""

from __future__ import annotations

import random
import stat
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_otel.journal import usage
from synapse_otel.journal.frames import frame
from synapse_otel.journal.usage import OomKill, UsageWriter, read_usage, thinned
from synapse_otel.journal.usage_totals import usage_totals
from tests.usage.used import GIBIBYTE, SECOND, sample, source, write

pytestmark = pytest.mark.once


def test_a_week_takes_no_more_room_than_hours_and_loses_no_peak(tmp_path):
    writer = UsageWriter(tmp_path)
    writer.append(source(), OomKill(1))
    peaks = {500: 7 * GIBIBYTE, 100_000: 9 * GIBIBYTE}
    week = 7 * 24 * 3600 // 5
    for number in range(0, week, 10):  # each tenth is enough to see it
        writer.append(sample(number, memory_peak=peaks.get(number, GIBIBYTE)))
    found = read_usage(tmp_path)
    assert (tmp_path / "usage").stat().st_size < 256 << 10
    assert usage.MOST_SAMPLES // 4 <= len(found.samples) < usage.MOST_SAMPLES
    assert {one.memory_peak for one in found.samples} == {GIBIBYTE, *peaks.values()}
    times = [one.time for one in found.samples]
    assert times == sorted(set(times))
    assert found.samples[-1].time == (week - 6) // 10 * 10 * 5 * SECOND
    assert found.samples[-1].cpu_user == (week - 6) // 10 * 10 * 4.0
    steps = [after - before for before, after in pairwise(times)]
    assert max(steps) < 3 * week * 5 * SECOND / usage.MOST_SAMPLES * 2, "old and new alike"
    assert found.source == source()
    assert found.oom_kill == OomKill(1), "kept when the file is thinned out"


def test_it_is_for_its_owner_only(tmp_path):
    write(tmp_path, 0)
    assert stat.S_IMODE((tmp_path / "usage").stat().st_mode) == 0o600


@given(st.integers(0, 2**31))
def test_whatever_is_damaged_the_rest_is_read(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("damaged")
    write(folder, 0, 5)
    path = folder / "usage"
    data = bytearray(path.read_bytes())
    whole = read_usage(folder).samples
    at = random.Random(seed).randrange(len(data))
    data[at] ^= 0xFF
    path.write_bytes(data)
    assert len([one for one in read_usage(folder).samples if one in whole]) >= len(whole) - 1
    path.write_bytes(data[:at])  # cut off, as on a full disk
    UsageWriter(folder).append(sample(99))
    assert read_usage(folder).samples[-1] == sample(99)


def test_what_a_newer_version_adds_is_left_out(tmp_path):
    write(tmp_path, 0, 2)
    longer = [*msgspec.structs.astuple(sample(7)), "more"]
    with (tmp_path / "usage").open("ab") as file:
        file.write(frame(99, b"\x01") + frame(65, msgspec.msgpack.encode(longer)) + frame(65, b"\xc1"))
    assert [one.time // SECOND for one in read_usage(tmp_path).samples] == [0, 5, 35]


def test_nothing_where_there_is_no_file(tmp_path):
    assert read_usage(tmp_path).samples == []
    assert usage_totals(read_usage(tmp_path / "none"), 0, SECOND) is None


def test_few_samples_are_left_as_they_are():
    samples = [sample(number) for number in range(10)]
    assert thinned(samples, 10) == samples
    assert 1 < len(thinned(samples, 9)) <= 9


def test_a_time_has_its_own_totals_and_peaks(tmp_path):
    write(tmp_path, 0, gpus=2)
    found = read_usage(tmp_path)
    whole = usage_totals(found, 0, 100 * SECOND)
    assert whole.memory_peak == GIBIBYTE * 3 // 2
    assert whole.memory_limit == 2 * GIBIBYTE
    assert whole.cpu_seconds == 55.0
    assert (whole.cpu_peak, whole.cpu_limit, whole.processes_peak) == (1.9, 2.0, 2)
    assert (whole.disk_read, whole.disk_written) == (11_000_000, 0)
    assert whole.received == 55_000, "the namespace had counted a thousand megabytes before"
    assert (whole.gpu_utilization_peak, whole.gpu_memory_peak, whole.gpu_power_peak) == (0.5, 3 * GIBIBYTE, 200.0)
    part = usage_totals(found, 41 * SECOND, 100 * SECOND)
    assert (part.cpu_seconds, part.memory_peak, part.cpu_peak) == (15.0, GIBIBYTE, 1.0)
    assert part.received == 15_000
    assert usage_totals(found, 200 * SECOND, 300 * SECOND) is None


def test_what_cannot_be_told_is_not_known(tmp_path):
    writer = UsageWriter(tmp_path)
    unknown = {"disk_read": None, "disk_written": None, "received": None, "sent": None, "cpus": None}
    writer.append(source(memory_limit=0), sample(1, **unknown), sample(2, **unknown))
    found = usage_totals(read_usage(tmp_path), 0, 100 * SECOND)
    assert (found.disk_read, found.received, found.cpu_peak, found.memory_limit) == (None, None, None, None)
    assert found.cpu_seconds == 10.0
