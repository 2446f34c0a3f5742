"""Links into the web page of VictoriaLogs: what it searches for, how far back, and what its list shows of a record."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

SHOWN: Final = "synapse.job.id,synapse.category,event_name,_msg"
"""Fields of a line: by itself the page shows `_msg`, and where there is none, as with an event, all fields in a row."""


def search_link(base: str, logsql: str, **more: str) -> str:
    """Return the address at which the page of the VictoriaLogs at `base` shows what a LogsQL query matches.

    It looks back an hour, by itself five minutes; `more` are further parameters of the page, such as `refresh="5s"`.
    """
    parameters = {"query": logsql, "g0.relative_time": "last_1_hour", "displayFields": SHOWN, **more}
    return f"{base}/select/vmui/#/?{'&'.join(f'{name}={_quoted(value)}' for name, value in parameters.items())}"


def _quoted(value: str) -> str:
    return quote(value, safe=":=,*")
