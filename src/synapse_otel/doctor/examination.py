"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from synapse_otel.doctor.finding import Finding, Level
from synapse_otel.notices import Check
from synapse_otel.settings import SettingsError, check_standard_variables, load_destination, load_settings


def examine(checks: Collection[Check] = tuple(Check), *, probe: bool = True) -> Iterator[Finding]:
    """Yield what is found, in the order in which a record travels; a setting that is wrong is told whatever is checked.

    With ``probe``, a log record, a metric point and a span are sent to where they go, marked as a probe.
    """
    from synapse_otel.doctor.checks.environment import environment
    from synapse_otel.doctor.checks.journals import journal, runs
    from synapse_otel.doctor.checks.settings import set_variables, settings_in_force

    if Check.ENVIRONMENT in checks:
        yield from environment()
    if Check.SETTINGS in checks:
        yield from set_variables()
    try:
        settings = load_settings()
        destination = load_destination(settings)
        check_standard_variables()
    except SettingsError as error:
        for problem in str(error).split("; "):
            name = problem.partition("=")[0].partition(":")[0]
            advice = "a job fails at its start with this message; docs/settings.md lists what is allowed"
            yield Finding(check=Check.SETTINGS, about=name, level=Level.FAILURE, text=problem, advice=advice)
        return
    if Check.SETTINGS in checks:
        yield from settings_in_force(settings, destination)
    if Check.JOURNAL in checks:
        yield from journal(settings)
    if Check.RUNS in checks:
        yield from runs(settings, destination)
    if Check.ENDPOINT in checks and probe:
        from synapse_otel.doctor.checks.endpoints import endpoints

        yield from endpoints(destination)
