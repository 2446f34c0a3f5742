"""Grafana's dashboards as code: what this makes stands in grafana/, and in a table of docs/dashboards.md."""

import warnings

with warnings.catch_warnings():
    # The SDK would have a newer kind of dashboard used, which Grafana 12 reads from files only as an experiment.
    warnings.simplefilter("ignore", DeprecationWarning)
    import grafana_foundation_sdk.builders.dashboard
    import grafana_foundation_sdk.models.dashboardv2beta1  # noqa: F401
