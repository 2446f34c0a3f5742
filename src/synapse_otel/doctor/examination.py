"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from synapse_otel.doctor.finding import Finding, Level
from synapse_otel.settings import SettingsError, load_destination, load_settings


def examine(*, probe: bool = True) -> Iterator[Finding]:
    """Yield what is found, in the order in which a record travels.

    Args:
        probe: send a log record, a metric point and a span to where they go, marked as a probe.
    """
    from synapse_otel.doctor.of_environment import environment
    from synapse_otel.doctor.of_journals import journals
    from synapse_otel.doctor.of_settings import set_variables, settings_in_force

    yield from environment()
    yield from set_variables()
    try:
        settings = load_settings()
        destination = load_destination(settings)
    except SettingsError as error:
        for problem in str(error).split("; "):
            name = problem.partition("=")[0].partition(":")[0]
            advice = "a job stops at its start with the same words; docs/settings.md tells what is allowed"
            yield Finding(check="settings", about=name, level=Level.FAILURE, text=problem, advice=advice)
        return
    yield from settings_in_force(settings, destination)
    yield from journals(settings, destination)
    if probe:
        from synapse_otel.doctor.of_endpoints import endpoints

        yield from endpoints(destination)
