"""synapse-sdk 2026.1.1b5: too old to be instrumented; a plugin for it runs as ever."""

from __future__ import annotations

import pytest

from tests.synapse_sdk import normalise
from tests.synapse_sdk.running import HERE, Sdk

pytestmark = pytest.mark.once


def _run(how, folder):
    """Return the exit status and the two outputs of the old plugin."""
    sdk = Sdk("2026.1.1b5", how, folder)
    status = sdk.start(str(HERE / "old_plugin.py"), folder=folder, output=folder).wait(timeout=60)
    return status, *(normalise.text((folder / name).read_text(), "run", str(folder)) for name in ("stdout", "stderr"))


SAID = (
    "synapse-otel: plugins on the Synapse SDK are not recorded: This instrumentation only instruments "
    '"synapse-sdk >= 2026.1.50"'
)


@pytest.mark.parametrize("how", ["variables", "run"])
def test_a_plugin_for_a_release_that_is_too_old_runs_as_ever(how, tmp_path):
    bare, other = tmp_path / "bare", tmp_path / "other"
    bare.mkdir()
    other.mkdir()
    status, out, err = _run("bare", bare)
    assert (status, "{'epochs': 3}" in out) == (0, True), err
    status_there, out_there, err_there = _run(how, other)
    assert (status_there, out_there) == (status, out)
    ours = [line for line in err_there.splitlines() if line not in err.splitlines()]
    assert len(ours) == 1
    assert ours[0].startswith(SAID)
