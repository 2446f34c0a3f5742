"""`View`: the half of a logger that shows. It knows nothing of recording."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from synapse_otel._guard import contain
from synapse_otel.notices import warn
from synapse_otel.plugins.loggers.track import Track
from synapse_otel.plugins.models.logger import LEVELS, LogLevel, ProgressData, level_named

if TYPE_CHECKING:
    from synapse_otel.mapping.job import WorkSpan

_log = logging.getLogger(__name__)


class View(ABC):
    """The half of a logger that shows: its hooks, its last values, and the containment of what a hook raises."""

    _has_progress_hook: ClassVar[bool] = False
    _has_metrics_hook: ClassVar[bool] = False
    _is_watching: ClassVar[bool] = False
    shows_events: ClassVar[bool] = True
    """Whether `show_event` shows anything."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Note which hooks there are: serving one that does nothing costs more than the rest of a call."""
        super().__init_subclass__(**arguments)
        cls._has_progress_hook = cls._on_progress is not View._on_progress
        cls._has_metrics_hook = cls._on_metrics is not View._on_metrics
        cls._is_watching = cls._has_progress_hook or cls._on_track is not View._on_track

    def __init__(self) -> None:
        self._tracks: dict[str | None, Track] = {}
        self._metrics: dict[str, dict[str, Any]] = {}
        self.explicit_step: str | None = None
        """The step that `set_step` set last."""
        self._current_step_order: int | None = None
        self._step_scope: WorkSpan | None = None
        self.is_finished = False
        """Whether the logger has been finished: it takes no more calls."""
        self._hook_failed = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what belongs to this process."""
        return {**self.__dict__, "_step_scope": None}

    # --- last values

    def get_progress(self, step: str | None = None) -> ProgressData | None:
        """Return how far a category has come, or None if it has not begun."""
        track = self._tracks.get(step)
        return None if track is None else track.snapshot()

    def get_progress_record(self, *, time_elapsed: int | None = None) -> dict[str, Any] | None:
        """Return what a platform stores as the job's progress: None here, for loggers of a platform to override."""
        del time_elapsed
        return None

    def get_metrics(self, step: str | None = None) -> dict[str, Any]:
        """Return the last values of a category, or those of all by category."""
        if step:
            return dict(self._metrics.get(step, {}))
        return {name: dict(values) for name, values in self._metrics.items()}

    @property
    def tracks(self) -> dict[str | None, Track]:
        """The progress of each category, that of the whole job under None."""
        return dict(self._tracks)

    def step_set_in(self, span: WorkSpan) -> str | None:
        """Return the step that `set_step` set while ``span``, or the same whole, was current; None: there is none."""
        set_in = self._step_scope
        same_whole = span.name is None and set_in is not None and set_in.name is None
        return self.explicit_step if span is set_in or same_whole else None

    # --- what a view implements

    @abstractmethod
    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        """Show or send an event, which has been checked and recorded."""

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:  # noqa: B027 - a hook, for those who want it
        """Show or send the progress of a category."""

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:  # noqa: B027 - a hook, for those who want it
        """Show or send the last values of a category."""

    def _on_step(self, step: str, result: str, error: str | None, *, is_rollback: bool) -> None:  # noqa: B027 - a hook, for those who want it
        """Show that a step of a workflow begins (no result), or how it or its rollback ended."""

    def _on_finish(self) -> None:  # noqa: B027 - a hook, for those who want it
        """Show or send what is left."""

    def show_step(self, step: str, result: str, error: str | None = None, *, is_rollback: bool = False) -> None:
        """Show where a workflow is; what there is to record of it has been recorded.

        Args:
            step: name of the step.
            result: how it ended, as in `synapse.step.result`; empty: it begins.
            error: what it says of it.
            is_rollback: it is its rollback that ended.
        """
        try:
            self._on_step(step, result, error, is_rollback=is_rollback)
        except Exception as failure:  # noqa: BLE001 - contained: a view must not fail the job
            self.contain(failure)

    # --- the way from what was recorded to the hooks: a tee takes it for each of its loggers

    def show_event(
        self,
        event: str,
        data: Mapping[str, Any] | None,
        file: str | os.PathLike[str] | None,
        step: str | None,
        level: LogLevel | str,
    ) -> None:
        """Show an event."""
        self._log_impl(
            event,
            data if type(data) is dict else dict(data or {}),
            file if file is None or type(file) is str else os.fsdecode(file),
            step,
            level if type(level) is LogLevel else LEVELS.get(level) or level_named(level),
        )

    def show_progress(self, current: float, total: float, step: str | None) -> None:
        """Show the progress of a category."""
        track = self._tracks.get(step)
        if track is None:
            track = self._tracks[step] = Track(current, total)
        elif (
            not self._is_watching
            and 0 != current != total  # the clock neither starts nor stops
            and track.ended_seconds is None
            and current >= track.high
        ):
            track.current = track.high = current
            track.total = total
            return
        track.set(current, total)
        if self._is_watching:
            self._on_track(track, step)

    def show_failed(self, step: str | None) -> None:
        """Show that the work of a category has failed."""
        track = self._tracks.get(step)
        if track is None:
            track = self._tracks[step] = Track(0, 1)
        track.end(failed=True)
        self._on_track(track, step)

    def show_metrics(self, value: Mapping[str, Any], step: str) -> None:
        """Show values of a category."""
        known = self._metrics.get(step)
        if known is None:
            known = self._metrics[step] = {}
        known.update(value)
        if self._has_metrics_hook:
            self._on_metrics(step, known)

    def contain(self, error: Exception) -> None:
        """Report once that this logger's view fails; what was recorded is not affected."""
        contain(error)
        if not self._hook_failed:
            self._hook_failed = True
            warn(
                _log,
                "%s cannot show everything (logged once; the recorded data is complete): %s: %s",
                type(self).__name__,
                type(error).__name__,
                error,
                cause=error,
            )

    def _on_track(self, track: Track, step: str | None) -> None:
        """Show the progress of a category from its state, which a view must not keep a snapshot of."""
        self._on_progress(track.snapshot(), step)
