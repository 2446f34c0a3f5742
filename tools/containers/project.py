"""What docker-compose.yml runs, in an engine of our own and on free ports; Grafana is left out."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tools.containers.engine import Engine
from tools.containers.systems import TREE
from tools.stack.ports import KNOWN, Ports
from tools.stack.servers import url

WITHOUT_GRAFANA: Final = Path(__file__).with_name("without-grafana.yml")


@dataclass(frozen=True, slots=True)
class State:
    """One container, as the engine and the kernel see it."""

    identity: str
    pid: int
    """Of its first process, in the engine's namespaces; 0 while it does not run."""
    running: bool
    health: str
    """Empty where nothing asks."""
    restarts: int


class Project:
    """Services of the compose files: `project.compose("up", "--wait")`."""

    def __init__(self, engine: Engine) -> None:
        """Prepare, start nothing."""
        self.engine = engine
        self.ports = Ports()
        ports = {known.variable: str(self.ports[name]) for name, known in KNOWN.items()}
        self.environment = ports | {"COMPOSE_FILE": compose_files()}

    def extended(self, *files: Path, **environment: str) -> Self:
        """Return the same project with more compose files, relative to the tree, and variables that these read."""
        made = copy.copy(self)
        made.environment = self.environment | {"COMPOSE_FILE": compose_files(*files)} | environment
        return made

    def url(self, name: str) -> str:
        """Return the base URL of a published port, by its name in `tools.stack.ports.KNOWN`."""
        return url(int(self.environment[KNOWN[name].variable]))

    def compose(self, *arguments: str) -> str:
        """Run `docker compose` and return what it printed; raises CommandError."""
        return self.engine.docker("compose", *arguments, environment=self.environment)

    def services(self) -> list[str]:
        """Return the services that `up` starts."""
        return self.compose("config", "--services").split()

    def move(self, names: Iterable[str]) -> None:
        """Choose other ports for what has these names; the next `up` takes them."""
        for name in names:
            self.environment[KNOWN[name].variable] = str(self.ports[f"{name}, moved"])

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container."""
        identity = self.compose("ps", "--all", "--quiet", service).strip()
        found: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", identity))
        return found[0]

    def state(self, service: str) -> State:
        """Return how a service's container does."""
        found = self.inspect(service)
        state = found["State"]
        health = state.get("Health", {}).get("Status", "")
        return State(found["Id"], int(state["Pid"]), bool(state["Running"]), health, int(found["RestartCount"]))

    def kill(self, service: str) -> State:
        """Kill a service's first process, as the kernel does when memory is short, and return how it was before.

        `docker kill` would not do: the engine then takes it that nobody wants the service to run.
        """
        before = self.state(service)
        self.engine.kill_process(before.pid)
        return before

    def process_file(self, service: str, name: str) -> str:
        """Return what the kernel says of a service's first process: a file of /proc."""
        return self.engine.inside("cat", f"/proc/{self.state(service).pid}/{name}")

    def down(self) -> None:
        """Remove containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")


def compose_files(*files: Path) -> str:
    """Return COMPOSE_FILE for docker-compose.yml without Grafana, and more files of the tree."""
    return os.pathsep.join(["docker-compose.yml", str(WITHOUT_GRAFANA.relative_to(TREE)), *map(str, files)])
