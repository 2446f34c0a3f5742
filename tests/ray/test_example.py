"""`examples/ray_job.py` does what docs/ray.md says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.runs import Overview, run_groups
from tests.faults.running import REPOSITORY, Place
from tests.sink import Sink, attributes
from tests.wheels import needs

pytestmark = [pytest.mark.once, needs("ray")]

EXAMPLE = Path(REPOSITORY, "examples", "ray_job.py")


def test_the_example_is_one_trace_with_its_workers(tmp_path: Path, sink: Sink):
    place = Place(tmp_path / "journals", sink.url, {"RAY_USAGE_STATS_ENABLED": "0"})
    try:
        command = [sys.executable, str(EXAMPLE)]
        done = subprocess.run(
            command, env=place.environment(), capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr[-5000:]
        sink.wait(lambda: sum(span.name == "worker train: Trainer" for span in sink.spans()) == 2, 60)
        spans = {span.span_id: span for span in sink.spans()}
        assert len({span.trace_id for span in spans.values()}) == 1
        tree = {(getattr(spans.get(span.parent_span_id), "name", ""), span.name) for span in spans.values()}
        # The process of a task may have been given the generator too: then that is in the task's span.
        assert tree | {("convert", "worker convert: batches")} == {
            ("", "train ray-example"),
            ("train ray-example", "convert"),
            ("train ray-example", "train"),
            ("convert", "worker convert: convert"),
            ("convert", "worker convert: batches"),
            ("train", "worker train: Trainer"),
        }
        assert {attributes(span).get("error.type") for span in spans.values()} == {None}
        (group,) = run_groups([place.root])
        overview = Overview.read([known.folder for known in group])
        progress = {one.category: (one.progress.current, one.progress.limit) for one in overview.progress}
        assert progress == {"": (100, 100), "convert": (4, 4), "batches": (3, 3), "epochs": (10, 10)}
    finally:
        place.end()


def test_without_ray_the_example_says_what_it_needs(tmp_path: Path):
    program = f"import runpy, sys; sys.modules['ray'] = None; runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')"
    place = Place(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", program], env=place.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "this example needs Ray: pip install 'ray>=2.50'"
