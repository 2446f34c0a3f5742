"""Parts of a job by joblib: loky's processes, multiprocessing's, or threads. ``python with_joblib.py [BACKEND]``."""

from __future__ import annotations

import sys
from typing import Final

from joblib import Parallel, delayed

import synapse_otel
from synapse_otel import RuntimeContext

PARTS: Final = 6


def convert(ctx: RuntimeContext, part: int) -> int:
    """Do one part, in whichever process joblib does it."""
    ctx.log_message(f"part {part} is converted")
    ctx.set_metrics({"size": part * 10}, category="convert")
    return part


def main(backend: str) -> None:
    """Run the job."""
    job = synapse_otel.job("convert", plugin="images", job_id=f"joblib-{backend}")
    with job as ctx, Parallel(n_jobs=2, backend=backend) as parallel:
        for _round in range(2):
            done = parallel(delayed(convert)(ctx, part) for part in range(PARTS))
            ctx.set_progress(len(done), PARTS, category="convert")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "loky")
