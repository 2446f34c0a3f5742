"""The cases: what is run, in which mode, on which platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

VERSIONS: Final = ("2026.1.50", "2026.1.100", "2026.2.17")
"""The tested releases of the SDK; 2026.1.1b5 is too old, and only refused."""


@dataclass(frozen=True)
class Case:
    """One thing that is run, and compared with itself.

    Attributes:
        mode: how: see MODES of `run_case.py`; `entrypoint` is the SDK's own, as a process of its own without Ray.
        platform: how the platform answers: see `FakePlatform.url`; `refuse`: nobody listens.
        batch: cases of one batch share a process, where their mode is not `entrypoint`.
        unordered: threads tell at the same time: compared is which logs came, and of the output its characters.
        killed: the process is killed when the platform has got this many logs.
        more: what only some modes know.
    """

    name: str
    mode: str
    action: str = "train"
    params: dict[str, Any] = field(default_factory=dict)
    platform: str = "ok"
    batch: str = "a"
    language: str | None = None
    unordered: bool = False
    killed: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


def _train(**params: Any) -> dict[str, Any]:
    return {"dataset": 1, "epochs": 3, **params}


_TRAININGS: Final[dict[str, dict[str, Any]]] = {
    "train": _train(),
    "train raises": _train(raise_in="learn"),
    "train fails": _train(fail_in="learn"),
    "train skips": _train(skip="prepare"),
    "first step raises": _train(raise_in="prepare"),
    "rollback fails": _train(fail_in="save", rollback_fails_in="learn"),
    "no dataset": {"epochs": 3},
    "hyperparameters": {"dataset": 1, "hyperparameters": [{"epochs": 2}]},
}

_OTHERS: Final = (
    ("own orchestrator", "train_own", {"skip": "save"}),
    ("plain", "plain", {}),
    ("plain fails", "plain", {"fail": True}),
    ("looks", "look", {}),
    ("wrong calls", "wrong", {}),
    ("wrong call let through", "wrong", {"let": "progress beyond"}),
    ("unknown message code", "wrong", {"let": "message unfilled"}),
)

IN_PROCESS: Final = (
    *(
        Case(f"{mode}: {name}", mode, "train", params)
        for mode in ("local", "direct")
        for name, params in _TRAININGS.items()
    ),
    *(
        Case(f"{mode}: {name}", mode, action, params)
        for mode in ("local", "direct")
        for name, action, params in _OTHERS
    ),
    *(Case(f"{mode}: korean", mode, "train", _train(epochs=1), language="ko") for mode in ("local", "direct")),
    *(Case(f"{mode}: export", mode, "export") for mode in ("local", "direct")),
    Case("direct: export together", "direct", "export", {"together": True}, unordered=True),
    *(Case(f"{mode}: calls", mode, "call", {"url": "PLATFORM"}) for mode in ("local", "direct")),
    Case("local: serve", "local", "serve", {"model": 1}),  # the SDK looks for the endpoint, and finds none
    Case("local: no such action", "local", "nothing"),
    Case("after finish", "after_finish"),
    Case("trial", "trial", "train", _train()),
    Case("pipeline: export", "pipeline", "export"),
    Case("pipeline: old logger", "pipeline", "plain"),
    Case("direct: slow", "direct", "train", _train(epochs=1), platform="slow-20"),
    Case("direct: very slow", "direct", "look", platform="slow-360"),
    Case("direct: 500", "direct", "train", _train(epochs=1), platform="fail-500"),
    Case("direct: refused", "direct", "call", {"url": "PLATFORM"}, platform="refuse", batch="refused"),
)

PROCESSES: Final = (
    Case("entrypoint: train", "entrypoint", "train", _train()),
    Case("entrypoint: train raises", "entrypoint", "train", _train(raise_in="save")),
    Case("entrypoint: exits", "entrypoint", "end", {"how": "exit"}),
    Case("entrypoint: ends at once", "entrypoint", "end", {"how": "at once"}),
    Case("entrypoint: killed", "entrypoint", "endless", killed=20),
)

_SEARCH: Final = {
    "is_tune": True,
    "num_cpus": 1,
    "num_gpus": 0,
    "tune_config": {"num_samples": 1, "metric": "loss", "mode": "min"},
    "hyperparameters": [{"name": "rate", "type": "grid_search", "options": [0.5, 0.25]}],
}

ON_RAY: Final = (
    Case("task: train", "task", "train", _train()),
    Case("task: train raises", "task", "train", _train(raise_in="learn")),
    Case("task: one actor twice", "task", "plain", more={"times": 2}),
    Case("task: looks", "task", "look", more={"shutdown": True}),
    Case("task: submitted", "task_submitted", "train", _train()),
    Case("task: killed", "task_killed", "endless"),
    Case("search", "search", "search", _SEARCH, batch="search"),
    Case("job: train", "job", "train", _train(), batch="job"),
    Case("job: train raises", "job", "train", _train(raise_in="learn"), batch="job"),
)
