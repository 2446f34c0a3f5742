"""Ways from a value in a table to where it is explained."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

JOBS: Final = "synapse-jobs"
JOB: Final = "synapse-job"
PLUGIN: Final = "synapse-plugin"
PIPELINE: Final = "synapse-pipeline"
"""Ids of the dashboards, as their addresses have them."""

_VALUE: Final = "${__value.raw}"
_KEPT: Final = "${__url_time_range}&${tenant:queryparam}&${action:queryparam}"

TO_JOB: Final = ("The job", f"/d/{JOB}?{_KEPT}&${{plugin:queryparam}}&var-job={_VALUE}")
"""For a column of job ids: the dashboard of that job."""

TO_PLUGIN: Final = ("The plugin", f"/d/{PLUGIN}?{_KEPT}&var-plugin={_VALUE}")
"""For a column of plugins: the dashboard of that plugin."""

_WATERFALL: Final = ('{"trace":{"datasource":"jaeger","queries":[{"refId":"A","query":"', '"}]}}')
TO_TRACE: Final = ("The trace", f"/explore?schemaVersion=1&orgId=1&panes={_VALUE.join(map(quote, _WATERFALL))}")
"""For a column of trace ids: the trace's waterfall in Explore."""
