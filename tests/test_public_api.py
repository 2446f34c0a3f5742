"""What users import: complete, sorted, typed, and cheap."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import typing
from importlib import import_module
from pathlib import Path

import pytest

import synapse_otel
from synapse_otel import read

SOURCE = Path(synapse_otel.__file__).parents[1]
PUBLIC = [
    "LogLevel",
    "PluginEnvironment",
    "RuntimeContext",
    "SettingsError",
    "__version__",
    "child_environment",
    "configure",
    "job",
]

READ = [
    "IncompleteWarning",
    "LibraryMissingError",
    "Message",
    "Metric",
    "RunNotFoundError",
    "RunTable",
    "SavedRun",
    "Span",
    "SpanEvent",
    "run",
    "runs",
    "table",
]

MIRRORED = {
    "synapse_otel.loggers": [
        "BackendLogger",
        "BaseLogger",
        "ConsoleLogger",
        "JobLogger",
        "LogEntry",
        "LoggerBackend",
        "MessageLogData",
        "NoOpLogger",
        "ProgressData",
        "TqdmLogger",
    ],
    "synapse_otel.plugins.actions.add_task_data": ["AddTaskDataContext", "AddTaskDataProgressCategories"],
    "synapse_otel.plugins.actions.export": ["ExportContext", "ExportProgressCategories"],
    "synapse_otel.plugins.actions.inference": ["DeploymentContext", "InferenceContext", "InferenceProgressCategories"],
    "synapse_otel.plugins.actions.to_task": ["ToTaskContext"],
    "synapse_otel.plugins.actions.train": ["TrainContext", "TrainProgressCategories"],
    "synapse_otel.plugins.actions.upload": ["UploadContext", "UploadProgressCategories"],
    "synapse_otel.plugins.actions.add_task_data.context": ["AddTaskDataContext"],
    "synapse_otel.plugins.actions.export.context": ["ExportContext"],
    "synapse_otel.plugins.actions.inference.context": ["DeploymentContext", "InferenceContext"],
    "synapse_otel.plugins.actions.to_task.context": ["ToTaskContext"],
    "synapse_otel.plugins.actions.train.context": ["TrainContext"],
    "synapse_otel.plugins.actions.upload.context": ["UploadContext"],
    "synapse_otel.plugins.context": ["PluginEnvironment", "RuntimeContext"],
    "synapse_otel.plugins.context.env": ["PluginEnvironment"],
    "synapse_otel.plugins.models.logger": ["LogLevel"],
    "synapse_otel.plugins.steps": ["BaseStep", "BaseStepContext", "Orchestrator", "StepRegistry", "StepResult"],
    "synapse_otel.plugins.steps.utils": ["LoggingStep", "TimingStep", "ValidationStep"],
}
"""Where plugins import from: the module paths of the Synapse SDK."""


def loaded_by(*statements: str, **variables: str) -> set[str]:
    """Return the modules that a new interpreter loads for some statements."""
    script = "import json, sys; base = set(sys.modules)\n"
    script += "\n".join(statements) + "\nprint(json.dumps(sorted(set(sys.modules) - base)))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **variables}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(ended.stdout))


def test_the_public_names():
    assert synapse_otel.__all__ == PUBLIC == sorted(PUBLIC)
    assert dir(synapse_otel) == PUBLIC
    for name in PUBLIC:
        assert getattr(synapse_otel, name) is not None


def test_the_public_names_of_the_reader():
    assert read.__all__ == READ == sorted(READ)
    assert [name for name in READ if not getattr(read, name).__doc__] == []


def test_the_reader_loads_no_library_of_data_frames():
    loaded = loaded_by("import synapse_otel.read")
    assert [name for name in loaded if name.partition(".")[0] in {"numpy", "pandas", "polars", "pyarrow"}] == []


def test_nothing_public_is_missing_for_a_type_checker():
    """The names that are loaded lazily stand in the branch for type checkers, from the same homes."""
    hints = {}
    source = Path(synapse_otel.__file__).read_text().replace("TYPE_CHECKING:", "True:")
    exec(compile(source, "synapse_otel", "exec"), hints)
    for name in PUBLIC:
        assert hints[name] is getattr(synapse_otel, name)
    assert set(synapse_otel._HOMES) == set(PUBLIC)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="'synapse_otel' has no attribute 'jobs'"):
        _ = synapse_otel.jobs


@pytest.mark.parametrize("module", MIRRORED)
def test_the_modules_of_the_synapse_sdk(module):
    found = import_module(module)
    for name in MIRRORED[module]:
        assert name in found.__all__
        assert hasattr(found, name)
    assert found.__all__ == sorted(found.__all__)


@pytest.mark.parametrize(
    "function",
    [
        synapse_otel.child_environment,
        synapse_otel.configure,
        synapse_otel.job,
        read.run,
        read.runs,
        read.table,
        *[
            value
            for name, value in vars(read.SavedRun).items()
            if inspect.isfunction(value) and not name.startswith("__")
        ],
        *[
            value
            for name, value in vars(synapse_otel.RuntimeContext).items()
            if inspect.isfunction(value) and not name.startswith("__")
        ],
    ],
    ids=lambda function: function.__qualname__,
)
def test_everything_is_annotated(function):
    given = {name for name in inspect.signature(function).parameters if name != "self"}
    assert given | {"return"} == set(function.__annotations__)


def test_the_package_says_that_it_is_typed():
    assert (Path(synapse_otel.__file__).parent / "py.typed").is_file()
    assert typing.get_type_hints(synapse_otel.configure)["return"] is type(None)


HEAVY = (
    "grpc",
    "google",
    "opentelemetry.sdk",
    "opentelemetry.exporter",
    "pydantic",
    "pydantic_settings",
    "rich",
    "typer",
)


@pytest.mark.parametrize(
    ("statement", "most"),
    [
        ("import synapse_otel", 3),
        ("import synapse_otel; synapse_otel.RuntimeContext", 135),
        ("import synapse_otel; synapse_otel.job", 110),
        ("import synapse_otel.testing", 5),
        ("from synapse_otel.plugins.actions.train import TrainContext", 125),
    ],
)
def test_what_an_import_costs(statement, most):
    """In modules, over those of ``import opentelemetry.trace``: numbers that do not depend on the machine."""
    loaded = loaded_by(statement) - loaded_by("import opentelemetry.trace")
    assert [name for name in loaded if name.startswith(HEAVY)] == []
    assert len(loaded) <= most, sorted(loaded)


def test_a_job_loads_nothing_that_sends_or_that_it_has_no_use_for(tmp_path):
    job = (
        "import synapse_otel; from synapse_otel.loggers import NoOpLogger",
        "with synapse_otel.job('train', plugin='demo', logger=NoOpLogger()) as ctx: ctx.set_metrics({'loss': 1.0})",
    )
    loaded = loaded_by(*job, SYNAPSE_OTEL_JOURNAL_DIR=str(tmp_path), SYNAPSE_OTEL_SHIPPER="off")
    senders = (
        "google",
        "grpc",
        "opentelemetry.exporter",
        "opentelemetry.proto",
        "urllib3",
        "synapse_otel.shipper.pipelines.base",
    )
    unused = ("opentelemetry.sdk.metrics", "rich", "typer")
    assert [name for name in loaded if name.startswith((*senders, *unused))] == []
