"""Run cases by hand: `python -m tests.synapse_sdk VERSION HOW FOLDER [WORDS]`.

HOW is bare, variables or run; of all cases those run whose name contains WORDS. Below FOLDER, which must not be there,
stand the folders of the cases, with stdout, stderr and requests.json, the journals, and all in `outcomes.json`.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.synapse_sdk.cases import IN_PROCESS, ON_RAY, PROCESSES
from tests.synapse_sdk.fake_platform import running_platform
from tests.synapse_sdk.running import Run, Sdk, ray_head

version, how, folder, words = [*sys.argv[1:], ""][:4]
top = Path(folder).absolute()
top.mkdir(parents=True)
cases = [case for case in (*IN_PROCESS, *PROCESSES, *ON_RAY) if words in case.name]
with running_platform() as platform, ExitStack() as stack:
    on_ray = any(case in ON_RAY for case in cases)
    ray = stack.enter_context(ray_head(version, top / "ray")) if on_ray else None
    run = Run(Sdk(version, how, top), platform, ray).run(cases)
outcomes = {case.name: {"compared": run.outcome(case.name), "raw": run.raw(case.name)} for case in cases}
(top / "outcomes.json").write_text(json.dumps(outcomes, indent=1, ensure_ascii=False))
for case in cases:
    print(f"{run.raw(case.name).get('seconds', 0):6.2f} s  {case.name}")
