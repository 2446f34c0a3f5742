"""A program that runs a job: by itself, or as a child of the job that has started it with `child_environment()`."""

from __future__ import annotations

import synapse_otel

if __name__ == "__main__":
    with synapse_otel.job("export", plugin="child", job_id="child") as ctx:
        ctx.log_message("of the child's own job")
