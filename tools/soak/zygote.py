"""A process that has imported everything, and forks off what is killed: a job within milliseconds, not a second.

It is told what to do by lines of JSON on stdin, and answers each with one: ``{"start": NAME, "arguments": [...],
"variables": {...}}`` with a process id, ``{"kill": ID}`` with the status, once the process is gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Self

_TREE: Final = Path(__file__).parents[2]


class Zygote:
    """The process, as who tells it what to do sees it; a context manager."""

    def __init__(self) -> None:
        path = os.pathsep.join((str(_TREE / "src"), str(_TREE)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.soak.zygote"],
            env={**_clean(os.environ), "PYTHONPATH": path},
            cwd=_TREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._alive: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in list(self._alive):
            self.kill(process)
        self._process.communicate()

    def start(self, name: str, *arguments: Any, variables: Mapping[str, str] | None = None) -> int:
        """Start a process, and return its id."""
        started = int(self._ask({"start": name, "arguments": [*map(str, arguments)], "variables": variables or {}}))
        self._alive.add(started)
        return started

    def kill(self, process: int) -> int:
        """Kill a process, wait until it is gone, and return its status: that of its end, had it ended before."""
        self._alive.discard(process)
        return int(self._ask({"kill": process}))

    def wait(self, process: int) -> int:
        """Wait for the end of a process, and return its status."""
        self._alive.discard(process)
        return int(self._ask({"wait": process}))

    def _ask(self, request: Mapping[str, Any]) -> Any:
        to, answers = self._process.stdin, self._process.stdout
        if to is None or answers is None:
            raise RuntimeError("the process has no pipes")
        to.write(json.dumps(request) + "\n")
        to.flush()
        return json.loads(answers.readline())


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without what would configure telemetry."""
    return {name: value for name, value in environment.items() if not name.startswith(("OTEL_", "SYNAPSE_", "TRACE"))}


# --- in the process ----------------------------------------------------------------------------------------


def _serve() -> None:
    known = _known()
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer = _fork(known[request["start"]], request["arguments"], request["variables"])
        else:
            process = request.get("kill") or request["wait"]
            if "kill" in request:
                os.kill(process, signal.SIGKILL)  # it is not reaped yet, so the id is its own
            answer = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _fork(start: Callable[..., None], arguments: list[str], variables: dict[str, str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.environ.update(variables)
        start(*arguments)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
        traceback.print_exc()
        os._exit(1)


def _known() -> dict[str, Callable[..., None]]:
    """Return what can be started, with all that it needs imported, also what is imported when a job begins."""
    from synapse_otel import settings
    from synapse_otel.cli.deliver.sync import sync
    from synapse_otel.cli.run.command import run
    from synapse_otel.sdk.resource import make_resource
    from synapse_otel.shipper.process import main
    from tools.soak.work import work

    for name in (
        "synapse_otel.runtime.process",
        "synapse_otel.mapping.python_logging.capture",
        "synapse_otel.mapping.propagation.inherited_job",
    ):
        import_module(name)
    make_resource({})
    settings.load_destination(settings.load_settings())

    def start_work(scenario: str, seed: str, told: str, root: str) -> None:
        work(scenario, int(seed), Path(told), Path(root))

    def start_sync() -> None:
        sync(None)

    def start_watched(*arguments: str) -> None:
        os.dup2(1, 2)  # what it says to people is not for here
        run([sys.executable, "-m", "tools.soak.work", *arguments])

    return {"work": start_work, "ship": main, "sync": start_sync, "run": start_watched}


if __name__ == "__main__":
    _serve()
