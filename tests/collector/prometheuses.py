"""A real Prometheus with a configuration of the test's own, and promtool."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tools.stack.build import build
from tools.stack.fetch import answers_ok, get_json
from tools.stack.polling import eventually
from tools.stack.ports import LOOPBACK, Ports
from tools.stack.process import Process

COLLECTOR = Path(__file__).parents[2] / "collector"


def promtool(*arguments: str | Path) -> str:
    """Return what promtool says; AssertionError with it where it fails."""
    command = [str(build(["prometheus"])["prometheus"] / "promtool"), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


class Prometheus:
    """`with Prometheus(folder, configuration) as prometheus: prometheus.ask("up")`."""

    def __init__(self, folder: Path, configuration: dict[str, Any], flags: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ports = Ports()
        self._flags = flags
        self.configuration = folder / "prometheus.yaml"
        self.configuration.write_text(yaml.safe_dump(configuration), encoding="utf-8")

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._ports['prometheus']}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def restart(self) -> None:
        """Kill it and start it again with its data."""
        self._process.wait(0)
        self._start()

    def _start(self) -> None:
        command = [
            str(build(["prometheus"])["prometheus"] / "prometheus"),
            f"--config.file={self.configuration}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self._ports['prometheus']}",
            *self._flags,
        ]
        self._process = Process(command, {}, self._folder / "prometheus.log")
        eventually(lambda: self._process.exit_status is not None or answers_ok(self.url + "/-/ready"), timeout=60)
        assert self._process.exit_status is None, self._process.last_lines()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.wait(0)
        self._ports.close()

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Return the labels and value of each series of an instant query."""
        answer = get_json(f"{self.url}/api/v1/query", [("query", query)])
        return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]
