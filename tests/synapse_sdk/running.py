"""Runs cases in the SDK's Python, bare or instrumented, and gives what they did in the form that is compared."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from synapse_otel.runs import Span
from tests.eventually import eventually
from tests.synapse_sdk import normalise
from tests.synapse_sdk.cases import Case
from tests.synapse_sdk.fake_platform import FakePlatform
from tests.synapse_sdk.recorded import Recorded, recorded_jobs, recorded_spans

TREE: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
# Bars that are drawn at every change, not when a clock says.
TQDM: Final = {"TQDM_MININTERVAL": "0", "TQDM_MINITERS": "1"}
# What `synapse-otel run` says about the end of its command.
_OWN_WORDS: Final = re.compile(r"^synapse-otel: .*\n", re.MULTILINE)


def need_environments() -> None:
    """Skip where there are none of what `tools/setup/sdk.sh` lays out, as `make test` does with a Python 3.13."""
    if not (TREE / ".venv-sdk").is_dir():
        assert os.environ.get("CI") != "true", "CI must not leave out the tests of the real synapse-sdk"
        pytest.skip("no .venv-sdk: `sh tools/setup/sdk.sh .venv/bin` lays it out, with a Python 3.13")


class Sdk:
    """One release of the SDK in its environment, and how its processes are started.

    Args:
        version: which one.
        how: `bare`; `variables`: instrumented by variables alone; `run`: under `synapse-otel run --`.
        folder: for homes, journals, and all that the processes write.
        endpoint: where records are delivered to; without one, nobody delivers them.
    """

    def __init__(self, version: str, how: str, folder: Path, endpoint: str = "") -> None:
        self.version = version
        self.how = how
        self.folder = folder
        self.endpoint = endpoint
        self.journals = folder / "journals"
        self._bin = TREE / ".venv-sdk" / version / "bin"
        (folder / "home").mkdir(parents=True, exist_ok=True)

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment of a process; nothing of ours is in it where it is bare."""
        variables = {
            "HOME": str(self.folder / "home"),
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
            "PYTHONUNBUFFERED": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DEDUP_LOGS": "0",
            "SYNAPSE_ACCESS_TOKEN": "token",
            **TQDM,
            **more,
        }
        if self.how != "bare":
            variables["SYNAPSE_OTEL_JOURNAL_DIR"] = str(self.journals)
            variables |= (
                {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint} if self.endpoint else {"SYNAPSE_OTEL_SHIPPER": "off"}
            )
        if self.how == "variables":
            variables["SYNAPSE_OTEL_INSTRUMENT"] = "true"
        return variables

    def command(self, *arguments: str, folder: Path, **more: str) -> list[str]:
        """Return the command of a process of the SDK's Python, wherever that is, which works in `folder`."""
        run = [str(self._bin / "synapse-otel"), "run", *([] if self.endpoint else ["--no-ship"]), "--"]
        under = run if self.how == "run" else []
        settings = [f"{name}={value}" for name, value in self.variables(**more).items()]
        python313 = ["sh", str(TREE / "tools" / "setup" / "python.sh"), "3.13"]
        there = ["sh", "-c", 'cd "$0" && exec "$@"', str(folder)]
        return [*python313, *there, "env", *settings, *under, str(self._bin / "python"), *arguments]

    def start(self, *arguments: str, folder: Path, output: Path, **more: str) -> subprocess.Popen[bytes]:
        """Start a process that works in `folder`, and writes into `stdout` and `stderr` of the folder `output`."""
        with (output / "stdout").open("w") as out, (output / "stderr").open("w") as err:
            command = self.command(*arguments, folder=folder, **more)
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)


@contextmanager
def ray_head(version: str, folder: Path) -> Iterator[dict[str, str]]:
    """Run a bare cluster of one node; gives its addresses, and where its logs are."""
    sdk = Sdk(version, "bare", folder)
    command = sdk.command(str(HERE / "ray_head.py"), str(folder), folder=folder)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())  # it ends when its standard input does


class Run:
    """All outcomes of some cases, run once.

    Args:
        sdk: which, and how.
        platform: where requests go.
        ray: of `ray_head`, for cases on Ray.
    """

    def __init__(self, sdk: Sdk, platform: FakePlatform, ray: dict[str, str] | None = None) -> None:
        self._sdk = sdk
        self._platform = platform
        self._ray = ray
        self._cases: dict[str, Case] = {}
        self._raw: dict[str, dict[str, Any]] = {}

    def run(self, cases: Sequence[Case]) -> Run:
        """Run cases, those of a batch in one process, two processes at a time."""
        self._cases |= {case.name: case for case in cases}
        batches: dict[str, list[Case]] = {}
        for case in cases:
            batches.setdefault(case.name if case.mode == "entrypoint" else case.batch, []).append(case)
        with ThreadPoolExecutor(2) as pool:
            for outcomes in pool.map(self._run_batch, batches.values()):
                self._raw |= outcomes
        return self

    def job_id(self, name: str) -> str:
        """Return the id of a case's job."""
        return f"job-{name.replace(': ', '-').replace(' ', '-')}-{self._run_name(name)}"

    def jobs(self, name: str) -> list[Recorded]:
        """Return the jobs that were recorded of a case."""
        return recorded_jobs(self._sdk.journals, self.job_id(name))

    def job(self, name: str) -> Recorded:
        """Return the one job that was recorded of a case."""
        (found,) = self.jobs(name)
        return found

    @property
    def spans(self) -> list[Span]:
        """All spans that were recorded, of all cases."""
        return recorded_spans(self._sdk.journals)

    def raw(self, name: str) -> dict[str, Any]:
        """Return a case's outcome as it was."""
        return self._raw[name]

    def outcome(self, name: str) -> dict[str, Any]:
        """Return a case's outcome in the form that is compared."""
        case, raw, run = self._cases[name], dict(self._raw[name]), self._run_name(name)
        folder = str(self._folder(name))
        requests = [normalise.request(one, run, folder) for one in raw.pop("requests")]
        raw.pop("seconds", None)
        if case.mode == "entrypoint" and self._sdk.how == "run":
            raw["stderr"] = _OWN_WORDS.sub("", raw["stderr"])
        outcome: dict[str, Any] = normalise.anything(raw, run, folder)
        in_background = case.mode in {"entrypoint", "job"}
        outcome["requests"] = (
            normalise.sent_in_background(requests, polled=case.mode == "job") if in_background else requests
        )
        if case.mode.startswith("task"):  # Ray's own words on the cluster are among it
            del outcome["stderr"]
        if case.mode == "search":  # Ray Tune draws tables of times, and a trial's worker may end with logs unsent
            return {key: outcome[key] for key in ("returned", "raised")}
        if case.unordered:  # a logger of 2026.1 whose threads meet sends what another one has queued, perhaps twice
            sent = normalise.sent_in_background(requests, polled=False)
            outcome["requests"] = sorted({json.dumps(log) for log in sent["logs"]})
            outcome["stdout"] = "".join(sorted(outcome["stdout"]))
        return outcome

    def _run_batch(self, cases: list[Case]) -> dict[str, dict[str, Any]]:
        if cases[0].mode == "entrypoint":
            outcomes = {cases[0].name: self._run_entrypoint(cases[0])}
        else:
            outcomes = self._run_in_one(cases)
        for case in cases:
            name = self._run_name(case.name)
            outcomes[case.name]["requests"] = [asdict(one) for one in self._platform.requests(name)]
            self._platform.write(name, self._folder(case.name) / "requests.json")
        return outcomes

    def _run_in_one(self, cases: list[Case]) -> dict[str, dict[str, Any]]:
        folder = self._sdk.folder / f"batch {cases[0].batch}"
        folder.mkdir(parents=True)
        out = folder / "outcomes.json"
        batch = {"out": str(out), "cases": [self._described(case) for case in cases]}
        (folder / "batch.json").write_text(json.dumps(batch))
        # A driver writes the lines of its workers whenever Ray gets to it, also into the middle of its own.
        own_lines = {"RAY_LOG_TO_DRIVER": "0"} if cases[0].mode.startswith("task") else {}
        process = self._sdk.start(
            *(str(HERE / "run_case.py"), str(folder / "batch.json")), folder=folder, output=folder, **own_lines
        )
        status = process.wait(timeout=280)
        assert status == 0, (folder / "stderr").read_text()
        return json.loads(out.read_text())

    def _run_entrypoint(self, case: Case) -> dict[str, Any]:
        described = self._described(case)
        folder = Path(described["folder"])
        shutil.copytree(HERE / "plugin", folder / "plugin")
        modules = {"train": "training.TrainAction", "end": "ending.EndAction", "endless": "ending.EndlessAction"}
        process = self._sdk.start(
            *("-m", "synapse_sdk.plugins.entrypoint"),
            folder=folder / "plugin",
            output=folder,
            SYNAPSE_ACTION_ENTRYPOINT=f"sample_plugin.{modules.get(case.action, 'no.such')}",
            SYNAPSE_ACTION_PARAMS=json.dumps({**case.params, "marker": str(folder / "marker")}),
            SYNAPSE_JOB_ID=described["job"],
            SYNAPSE_HOST=described["env"]["SYNAPSE_HOST"],
        )
        if case.killed:
            marker = folder / "marker"
            eventually(lambda: self._logs(case.name) >= (case.killed or 0) and marker.exists(), within=60)
            os.kill(int(marker.read_text()), signal.SIGKILL)
        status = process.wait(timeout=120)
        written = {name: (folder / name).read_text() for name in ("stdout", "stderr")}
        return {"exit": status, **written}

    def _logs(self, name: str) -> int:
        bodies = [json.loads(one.body) for one in self._platform.requests(self._run_name(name)) if one.path == "/logs/"]
        return sum(len(body) if isinstance(body, list) else 1 for body in bodies)

    def _described(self, case: Case) -> dict[str, Any]:
        run = self._run_name(case.name)
        host = "http://127.0.0.1:9" if case.platform == "refuse" else self._platform.url(run, case.platform)
        params = {key: self._platform.url(run) if value == "PLATFORM" else value for key, value in case.params.items()}
        return {
            "name": case.name,
            "mode": case.mode,
            "action": case.action,
            "params": params,
            "job": self.job_id(case.name),
            "language": case.language,
            "folder": str(self._folder(case.name)),
            "env": {"SYNAPSE_HOST": host, "SYNAPSE_ACCESS_TOKEN": "token"},
            "ray": self._ray,
            "tqdm": TQDM,
            **case.more,
        }

    def _folder(self, name: str) -> Path:
        return self._sdk.folder / name.replace(": ", "-").replace(" ", "-")

    def _run_name(self, name: str) -> str:
        """Return what tells this case of this run from all others."""
        return "run" + sha256(f"{self._sdk.folder} {name}".encode()).hexdigest()[:12]
