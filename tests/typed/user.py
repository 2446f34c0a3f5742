"""A user's program: every public name, with the arguments that it is usually given, and what it returns.

`tests/test_typed_user.py` has mypy and pyright check it as a user would, and runs it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, assert_type

import synapse_otel
from synapse_otel import LogLevel, PluginEnvironment, RuntimeContext, SettingsError, read
from synapse_otel.integrations import ray
from synapse_otel.loggers import (
    BackendLogger,
    BaseLogger,
    ConsoleLogger,
    JobLogger,
    LogEntry,
    LoggerBackend,
    MessageLogData,
    NoOpLogger,
    ProgressData,
    TeeLogger,
    TqdmLogger,
)
from synapse_otel.plugins.actions.add_task_data import AddTaskDataContext, AddTaskDataProgressCategories
from synapse_otel.plugins.actions.export import ExportContext, ExportProgressCategories
from synapse_otel.plugins.actions.inference import (
    DeploymentContext,
    DeploymentProgressCategories,
    InferenceContext,
    InferenceProgressCategories,
)
from synapse_otel.plugins.actions.to_task import ToTaskContext
from synapse_otel.plugins.actions.train import TrainContext, TrainProgressCategories
from synapse_otel.plugins.actions.upload import UploadContext, UploadProgressCategories
from synapse_otel.plugins.models.logger import LEVELS, level_named
from synapse_otel.plugins.steps import (
    BaseStep,
    BaseStepContext,
    LoggingStep,
    Orchestrator,
    StepRegistry,
    StepResult,
    TimingStep,
    ValidationStep,
)
from synapse_otel.testing import RecordedJob, TelemetryError, recorded_job

# --- jobs and their context ----------------------------------------------------------------------------


def configured() -> None:
    assert_type(synapse_otel.configure(journal_keep=True), None)
    assert_type(synapse_otel.__version__, str)
    try:
        synapse_otel.configure(no_such_setting=1)
    except SettingsError as error:
        assert_type(str(error), str)


def environment(folder: Path) -> PluginEnvironment:
    file = folder / "plugin.json"
    file.write_text(json.dumps({"EPOCHS": 3}))
    found = PluginEnvironment.merge(
        PluginEnvironment({"RATE": "0.1", "FAST": "yes", "TAGS": "a, b"}),
        PluginEnvironment.from_file(file),
        PluginEnvironment.from_environ("PLUGIN_"),
    )
    assert_type(found, PluginEnvironment)
    assert_type(found.get_int("EPOCHS"), int | None)
    assert_type(found.get_int("EPOCHS", 1), int)
    assert_type(found.get_float("RATE"), float | None)
    assert_type(found.get_float("RATE", 0.5), float)
    assert_type(found.get_bool("FAST"), bool | None)
    assert_type(found.get_bool("FAST", default=False), bool)
    assert_type(found.get_str("NAME"), str | None)
    assert_type(found.get_str("NAME", "unnamed"), str)
    assert_type(found.get_list("TAGS"), list[Any] | None)
    assert_type(found.to_dict(), dict[str, Any])
    assert_type("RATE" in found, bool)
    assert_type(list(found), list[str])
    value: object = found.get("RATE", 1)
    other: object = found["RATE"]
    return found if value is other else PluginEnvironment()


def train(folder: Path) -> None:
    image = folder / "image.png"
    image.write_bytes(b"")
    with synapse_otel.job(
        "train",
        plugin="yolo",
        version="1.2.0",
        job_id="job-4711",
        category="base",
        checkpoint={"category": "base", "path": "/models/1"},
        env=environment(folder),
        client=object(),
        logger=NoOpLogger(),
        params={"epochs": 3, "rate": 0.1},
        name="nightly",
        tags=("baseline", "small"),
        notes="a first try",
    ) as ctx:
        assert_type(ctx, RuntimeContext)
        assert_type(ctx.set_progress(1, 4), None)
        assert_type(ctx.set_progress(0.5, 1, "load"), None)
        assert_type(ctx.set_progress(1, 4, step="load"), None)
        assert_type(ctx.set_metrics({"loss": 0.5, "nested": {"accuracy": 0.9}}, "training"), None)
        assert_type(ctx.log_metric("training", "loss", 0.4, accuracy=0.95), None)
        assert_type(ctx.log("checkpoint", {"epoch": 1}, image, LogLevel.INFO), None)
        assert_type(ctx.log("checkpoint", file="model.bin", level="warning", category="save"), None)
        assert_type(ctx.log_message("loaded"), None)
        assert_type(ctx.log_message("slow disk", "warning"), None)
        assert_type(ctx.log_message({"en": "{count} images", "de": "{count} Bilder"}, language="de", count=7), None)
        assert_type(ctx.log_message("failed", level=LogLevel.DANGER, step="load"), None)
        assert_type(ctx.log_dev_event("weights", {"mean": 0.5}, category="training"), None)
        assert_type(ctx.log_visualization("training", "epoch_1", 0, image, caption="a cat"), None)
        assert_type(
            ctx.log_trials(
                trials={"1": {"lr": 0.1, "loss": 0.2}}, base=["id"], hyperparameters=["lr"], metrics=["loss"]
            ),
            None,
        )
        assert_type(ctx.job_id, str | None)
        assert_type(ctx.language, str | None)
        assert_type(ctx.checkpoint, dict[str, Any] | None)
        assert_type(ctx.env, PluginEnvironment)
        assert_type(ctx.logger, BaseLogger)
        clients: list[object] = [ctx.client, ctx.client_v1, ctx.client_v2, ctx.v2_client, ctx.agent_client]
        assert_type(ctx.scope.job is ctx.job, bool)
        assert_type(synapse_otel.child_environment(ctx, headers=True), dict[str, str])
        workflow(ctx)
        assert_type(ctx.end_log(), None)
    assert clients


def by_hand() -> RuntimeContext:
    """Make a context without a job around it, as tests of plugins do."""
    return RuntimeContext(logger=NoOpLogger(), env=PluginEnvironment(), job_id="job-1", language="en")


# --- workflows -----------------------------------------------------------------------------------------


@dataclass
class Shared(BaseStepContext):
    """What the steps of the workflow below share."""

    count: int = 0


class Load(BaseStep[Shared]):
    """Loads three images."""

    @property
    def name(self) -> str:
        return "load"

    @property
    def progress_weight(self) -> float:
        return 0.5

    @property
    def progress_proportion(self) -> int:
        return 50

    def can_skip(self, context: Shared) -> bool:
        return context.count > 0

    def execute(self, context: Shared) -> StepResult:
        assert_type(context.set_progress(3, 3), None)
        assert_type(context.set_metrics({"images": 3}), None)
        assert_type(context.log("loaded", {"images": 3}), None)
        assert_type(context.log_message("three images", LogLevel.SUCCESS), None)
        assert_type(context.log_dev_event("sizes", {"smallest": 1}), None)
        assert_type(context.current_step, str | None)
        assert_type(context.current_step_order, int | None)
        context.count = 3
        return StepResult(data={"images": 3}, rollback_data={"folder": "images"})

    def rollback(self, context: Shared, result: StepResult) -> None:
        context.count = 0 if result.success else context.count


def is_loaded(context: Shared) -> tuple[bool, str | None]:
    return context.count > 0, None if context.count else "nothing is loaded"


def told(_percent: int, _whole: int) -> None:
    """Take how far the workflow has come."""


def workflow(ctx: RuntimeContext) -> None:
    registry: StepRegistry[Shared] = StepRegistry()
    registry.register(LoggingStep(TimingStep(Load())))
    first = registry.get_steps()[0]
    assert_type(first, BaseStep[Shared])
    registry.insert_after(first.name, ValidationStep(is_loaded, "check", progress_weight=0.1))
    registry.insert_before(first.name, ValidationStep(is_ready, "ready"))
    registry.unregister("ready")
    assert_type(registry.total_weight, float)
    assert_type(registry.get_step_proportions(), dict[str, int])
    assert_type(registry.get_step_orders(), dict[str, int])
    assert_type(len(registry), int)
    assert_type((first.progress_weight, first.progress_proportion), tuple[float, int])
    assert_type((LoggingStep.PREFIX, TimingStep.PREFIX), tuple[str, str])
    shared = Shared(ctx)
    assert_type(Orchestrator(registry, shared, progress_callback=told).execute(), dict[str, Any])
    assert_type(shared.step_results, list[StepResult])
    assert_type(shared.errors, list[str])
    assert_type(shared.runtime_ctx, RuntimeContext)
    assert_type(shared.products(), dict[str, Any])
    assert_type(Shared.PRODUCTS, tuple[str, ...])
    assert_type(shared.mark_user_failure_emitted(), None)
    assert_type(shared.user_failure_message_emitted, bool)
    result = shared.step_results[0]
    assert_type((result.success, result.skipped, result.error), tuple[bool, bool, str | None])
    assert_type(result.data, dict[str, Any])
    client: object = shared.client
    logger: object = shared.logger
    assert client is not logger


def is_ready(_context: Shared) -> tuple[bool, str | None]:
    return True, None


def actions(ctx: RuntimeContext) -> None:
    trained = TrainContext(ctx, params={"epochs": 3}, model_path="model.bin", data_path=Path("data"))
    assert_type(trained.model_path, str | None)
    assert_type(trained.model, dict[str, Any] | None)
    assert_type(trained.data_path, Path | None)
    assert_type(trained.tune_result, dict[str, Any] | None)
    assert_type(trained.trial_models, list[dict[str, Any]])
    dataset: object = trained.dataset

    exported = ExportContext(ctx, total_count=3, output_path="out")
    assert_type((exported.total_count, exported.exported_count, exported.failed_count), tuple[int, int, int])
    assert_type(exported.output_path, str | None)
    assert_type(exported.filename_collision_count, int)
    assert_type(exported.written_file_count, int | None)
    assert_type(exported.sdk_managed_original_files, bool)
    assert_type(exported.label_output_dirname, str | None)
    exporting: list[object] = [
        exported.results,
        exported.export_items,
        exported.converted_items,
        exported.path_root,
        exported.unique_export_path,
        exported.storage,
        exported.configuration,
        exported.project_id,
        exported.handler,
        exported.exporter,
    ]

    uploaded = UploadContext(ctx, params={"name": "cats", "creating_data_unit_batch_size": 10})
    assert_type((uploaded.upload_name, uploaded.batch_size), tuple[str, int])
    assert_type((uploaded.use_single_path, uploaded.use_async_upload), tuple[bool, bool])
    assert_type(uploaded.max_file_size_bytes, int)
    assert_type(uploaded.allowed_extensions, dict[str, list[str]] | None)
    assert_type(uploaded.pathlib_cwd, Path | None)
    assert_type(uploaded.excel_metadata, dict[str, Any] | None)
    assert_type(uploaded.organized_files, list[dict[str, Any]])
    uploading: list[object] = [
        uploaded.storage,
        uploaded.data_collection,
        uploaded.project,
        uploaded.get_param("name", "unnamed"),
    ]

    inferred = InferenceContext(ctx, model_id=7, batch_size=2)
    assert_type((inferred.model_id, inferred.batch_size, inferred.processed_count), tuple[int | None, int, int])
    deployed = DeploymentContext(ctx, serve_app_name="cats", route_prefix="/cats")
    assert_type((deployed.serve_app_name, deployed.route_prefix), tuple[str | None, str | None])
    assert_type((deployed.serve_app_id, deployed.deployed), tuple[int | None, bool])

    added = AddTaskDataContext(ctx, task_ids=[1, 2], batch_size=2)
    assert_type((added.total_tasks, added.success_count, added.failed_count), tuple[int, int, int])
    assert_type(added.inference, dict[str, Any] | None)
    assert_type(added.data_collection, dict[str, Any] | None)
    assert_type(ToTaskContext(ctx), AddTaskDataContext)
    assert [dataset, *exporting, *uploading]


def phases() -> list[str]:
    return [
        AddTaskDataProgressCategories.FETCH_TASKS,
        AddTaskDataProgressCategories.PREPARE,
        AddTaskDataProgressCategories.ANNOTATE_TASK_DATA,
        AddTaskDataProgressCategories.FINALIZE,
        DeploymentProgressCategories.INITIALIZE,
        DeploymentProgressCategories.DEPLOY,
        DeploymentProgressCategories.REGISTER,
        ExportProgressCategories.FETCH,
        ExportProgressCategories.DATASET_CONVERSION,
        ExportProgressCategories.SAVE_FILES,
        ExportProgressCategories.FINALIZE,
        InferenceProgressCategories.MODEL_LOAD,
        InferenceProgressCategories.INFERENCE,
        InferenceProgressCategories.POSTPROCESS,
        TrainProgressCategories.DATASET,
        TrainProgressCategories.TRAIN,
        TrainProgressCategories.MODEL_UPLOAD,
        UploadProgressCategories.ORGANIZE,
        UploadProgressCategories.VALIDATE,
        UploadProgressCategories.UPLOAD,
        UploadProgressCategories.GENERATE,
        UploadProgressCategories.CLEANUP,
    ]


# --- loggers -------------------------------------------------------------------------------------------


class Kept:
    """A backend of the user's: what `LoggerBackend` asks for, and nothing else."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def publish_progress(self, job_id: str, progress: ProgressData) -> None:
        self.entries.append({"job": job_id, "percent": progress.percent, "status": progress.status})
        assert_type((progress.time_remaining, progress.elapsed_time), tuple[float | None, float | None])

    def publish_metrics(self, job_id: str, metrics: dict[str, Any]) -> None:
        self.entries.append({"job": job_id, **metrics})

    def publish_log(self, job_id: str, log_entry: LogEntry) -> None:
        assert_type((log_entry.event, log_entry.data), tuple[str, dict[str, Any]])
        assert_type((log_entry.file, log_entry.step), tuple[str | None, str | None])
        assert_type((log_entry.level, log_entry.language), tuple[LogLevel | None, str | None])
        self.entries.append({"job": job_id, **log_entry.to_dict()})


class Own(BaseLogger):
    """A logger of the user's."""

    def _log_impl(
        self, event: str, data: dict[str, Any], file: str | None, step: str | None, level: LogLevel | None = None
    ) -> None:
        del event, data, file, step, level

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:
        del progress, step

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        del step, metrics

    def get_progress_record(self, *, time_elapsed: int | None = None) -> dict[str, Any] | None:
        return {"elapsed": time_elapsed, **(super().get_progress_record() or {})}


def loggers() -> None:
    backend: LoggerBackend = Kept()
    tee = TeeLogger(NoOpLogger(), BackendLogger(backend, "job-1"), Own())
    assert_type(len(tee.loggers), int)
    logger: BaseLogger = tee
    assert_type(logger.set_step("load", 0), None)
    assert_type((logger.get_step(), logger.get_step_order()), tuple[str | None, int | None])
    assert_type(logger.log(LogLevel.INFO, "loaded", {"count": 3}, "file.txt", "load"), None)
    assert_type(logger.log_event("loaded", {"count": 3}), None)
    assert_type(logger.log_message("three images", "success"), None)
    for say in (logger.debug, logger.info, logger.warning, logger.error, logger.critical):
        assert_type(say("words"), None)
    assert_type(logger.log_metric("training", "loss", 0.5), None)
    assert_type(logger.log_visualization("training", "epoch_1", 0, "image.png"), None)
    assert_type(logger.log_trials({"trials": {}}), None)
    assert_type(logger.set_metrics({"loss": 0.5}, "training"), None)
    assert_type(logger.get_metrics(), dict[str, Any])
    assert_type(logger.set_progress(1, 4, "load"), None)
    assert_type(logger.get_progress("load"), ProgressData | None)
    assert_type(logger.get_progress_record(), dict[str, Any] | None)
    assert_type(logger.set_progress_failed("load"), None)
    assert_type((logger.shows_events, logger.records_signals), tuple[bool, bool])
    assert_type([track.failed for track in logger.tracks.values()], list[bool])
    with synapse_otel.job("test", plugin="hooks", logger=logger) as ctx:
        assert_type(logger.step_set_in(ctx.scope), str | None)
    shown(Own())
    assert_type(logger.finish(), None)
    assert_type(TqdmLogger().open(), None)
    assert_type(ConsoleLogger().finish(), None)
    job_logger = JobLogger(client=None, job_id="job-1", step_proportions={"load": 50})
    assert_type(job_logger.set_step_proportions({"load": 60}), None)
    message: MessageLogData = {"content": "loaded", "key": "LOADED"}
    assert_type(message["content"], str)
    assert_type(level_named("warning"), LogLevel)
    levels = [LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL]
    assert_type([level.value for level in levels], list[str])
    assert_type(LEVELS["warning"], LogLevel)


def shown(logger: BaseLogger) -> None:
    """Call what shows and does not record: for loggers that pass calls on to another one."""
    assert_type(logger.show_event("loaded", {"count": 3}, None, "load", LogLevel.INFO), None)
    assert_type(logger.show_progress(1, 4, "load"), None)
    assert_type(logger.show_metrics({"loss": 0.5}, "training"), None)
    assert_type(logger.show_step("load", "success"), None)
    assert_type(logger.show_failed("load"), None)
    assert_type(logger.leave_step_to_scope(), None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_type(logger.contain(ValueError("of a view")), None)


# --- runs that were recorded ---------------------------------------------------------------------------


def reading(folder: Path) -> None:
    saved = read.run("nightly", folder=folder)
    assert_type(saved, read.SavedRun)
    assert_type(read.runs(plugin="yolo", tags="baseline", state="done", params={"epochs": 3}), list[read.SavedRun])
    assert_type((saved.id, saved.name, saved.notes), tuple[str, str, str])
    assert_type((saved.action, saved.plugin, saved.version), tuple[str, str, str])
    assert_type((saved.job_id, saved.trace_id), tuple[str, str])
    assert_type((saved.state, saved.result, saved.error_type), tuple[str, str, str])
    assert_type((saved.start, saved.end, saved.seconds), tuple[int, int | None, float])
    assert_type((saved.tags, saved.folders, saved.incomplete), tuple[list[str], list[Path], list[str]])
    assert_type((saved.params, saved.progress), tuple[dict[str, Any], dict[str, float]])
    assert_type(saved.last_values(), dict[str, float])
    assert_type(saved.missing, int)
    assert_type(saved.overview.start, int)
    with saved.records() as records:
        assert_type(records.missing, int)

    metric = saved.metrics()["training", "loss"]
    assert_type(metric, read.Metric)
    assert_type((metric.category, metric.name, metric.unit), tuple[str, str, str])
    assert_type((metric.last, len(metric)), tuple[float, int])
    made_of: Callable[..., read.Metric] = read.Metric.of
    arrays: list[object] = [metric.times, metric.values, made_of]

    message = saved.messages()[0]
    assert_type(message, read.Message)
    assert_type((message.time, message.severity), tuple[int, int])
    assert_type((message.kind, message.context, message.category), tuple[str, str, str])
    assert_type((message.event, message.text, message.span_id), tuple[str, str, str])
    assert_type((message.data, message.attributes), tuple[dict[str, Any], dict[str, Any]])

    of_spans(saved.spans())

    table = saved.table("messages")
    assert_type(table, read.RunTable)
    assert_type(list(table.rows()), list[dict[str, Any]])
    assert_type(len(read.table([saved])), int)
    try:
        frames: list[object] = [saved.to_pandas(), saved.to_polars("spans"), table.to_pandas(), table.to_polars()]
    except read.LibraryMissingError as error:
        frames = [str(error)]
    assert [*arrays, *frames]
    try:
        read.run("no-such-run")
    except read.RunNotFoundError as error:
        assert_type(str(error), str)
    warnings.simplefilter("error", read.IncompleteWarning)


def of_spans(spans: list[read.Span]) -> None:
    span = spans[0]
    assert_type(span, read.Span)
    assert_type((span.name, span.trace_id, span.span_id, span.parent_id), tuple[str, str, str, str])
    assert_type((span.start, span.end, span.seconds), tuple[int, int | None, float | None])
    assert_type((span.is_open, span.failed, span.skipped), tuple[bool, bool, bool])
    assert_type((span.error, span.status_message, span.scope), tuple[str, str, str])
    assert_type((span.result, span.rank), tuple[str | None, int])
    assert_type((span.attributes, span.params, span.products), tuple[dict[str, Any], dict[str, Any], dict[str, Any]])
    assert_type(str(span.role), str)
    assert_type(span.children, list[read.Span])
    assert_type(span.events, list[read.SpanEvent])
    assert_type(len(span.links), int)
    assert_type(span.find("load"), read.Span | None)
    assert_type([(depth, one) for depth, one in span.walk()], list[tuple[int, read.Span]])
    for event in span.events:
        assert_type((event.time, event.name, event.attributes), tuple[int, str, dict[str, Any]])


# --- tests of plugins ----------------------------------------------------------------------------------


def testing() -> None:
    with recorded_job("train", plugin="yolo", params={"epochs": 3}, fixed=True) as job:
        assert_type(job, RecordedJob)
        assert_type(job.ctx, RuntimeContext)
        job.ctx.set_metrics({"loss": 0.5}, "training")
        job.ctx.log_message("loaded")
        job.ctx.log_dev_event("weights")
        assert_type(job.emitted(), int)
    assert_type(job.result, str | None)
    assert_type(job.samples("loss", "training"), list[float])
    assert_type([entry.body for entry in job.messages], list[Any])
    assert_type([entry.event_name for entry in job.events], list[str])
    assert_type((len(job.developer_events), len(job.log_records)), tuple[int, int])
    assert_type(job.spans, list[read.Span])
    assert_type(job.span("train yolo"), read.Span)
    assert_type([one.ratio for one in job.progress.values()], list[float])
    assert_type([depth for depth, _span in job.recording.walk()], list[int])
    assert_type(job.end(), str)
    assert_type(job.close(), None)
    error: type[Exception] = TelemetryError
    real_sdk: Callable[[RecordedJob], object] = lambda job: job.sdk_ctx  # noqa: E731 - only where the SDK is installed
    assert issubclass(error, Exception)
    assert callable(real_sdk)


def on_ray(ctx: RuntimeContext) -> None:
    assert_type(ray.worker_attributes(), dict[str, Any])
    context: AbstractContextManager[None] = ray.working(ctx)
    with context:
        ctx.log_message("working")


def entering(ctx: RuntimeContext) -> None:
    """Do what `Orchestrator` does with each step."""
    shared = Shared(ctx)
    assert_type(shared.enter_step("load", order=0, scope=None), None)
    assert_type(shared.leave_step(), None)
    step: BaseStep[Shared] = Load()
    assert_type(step.can_skip(shared), bool)
    assert_type(step.execute(shared), StepResult)
    assert_type(step.rollback(shared, StepResult(success=False, error="no room")), None)


def main(settings: Mapping[str, str]) -> None:
    folder = Path(settings["SYNAPSE_OTEL_JOURNAL_DIR"])
    configured()
    with TemporaryDirectory() as place:
        train(Path(place))
    with synapse_otel.job("test", plugin="user", logger=NoOpLogger()) as ctx:
        actions(ctx)
        entering(ctx)
        on_ray(by_hand())
    loggers()
    reading(folder)
    print(len(phases()), "phases")


if __name__ == "__main__":
    if sys.argv[1:] == ["testing"]:
        testing()
    else:
        main(os.environ)
