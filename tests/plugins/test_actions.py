"""The contexts of the kinds of jobs, and what they say was produced."""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_otel.plugins.actions.add_task_data import AddTaskDataContext, ToTaskContext
from synapse_otel.plugins.actions.export import ExportContext
from synapse_otel.plugins.actions.inference import DeploymentContext, InferenceContext
from synapse_otel.plugins.actions.to_task import ToTaskContext as NewerPath
from synapse_otel.plugins.actions.train import TrainContext
from synapse_otel.plugins.actions.upload import UploadContext
from synapse_otel.plugins.steps import BaseStep, Orchestrator, StepRegistry, StepResult

ALL = [TrainContext, ExportContext, UploadContext, InferenceContext, DeploymentContext, AddTaskDataContext]


@pytest.mark.parametrize("kind", ALL)
def test_a_fresh_context_has_produced_nothing(kind, ctx):
    context = kind(ctx)
    assert context.products() == {}
    assert (context.runtime_ctx, context.params) == (ctx, {})


PRODUCED = {
    TrainContext: (
        {"dataset": [1], "model_path": "/m.pt", "model": {"id": 5}},
        {"model_path": "/m.pt", "model": {"id": 5}},
    ),
    ExportContext: (
        {"results": [1], "exported_count": 9, "output_path": "/out", "path_root": Path("/root"), "errors_json": ["a"]},
        {"exported_count": 9, "output_path": "/out", "errors_json": 1},
    ),
    UploadContext: (
        {"uploaded_files": [{}, {}], "data_units": [{}]},
        {"uploaded_files": 2, "data_units": 1},
    ),
    InferenceContext: (
        {"results": [{}], "processed_count": 1, "params": {"a": 1}},
        {"params": {"a": 1}, "results": 1, "processed_count": 1},
    ),
    DeploymentContext: (
        {"serve_app_id": 3, "deployed": True},
        {"serve_app_id": 3, "deployed": True},
    ),
    AddTaskDataContext: (
        {"task_ids": [1, 2], "success_count": 1, "failures": [{}]},
        {"task_ids": 2, "failures": 1, "success_count": 1},
    ),
}


@pytest.mark.parametrize("kind", ALL)
def test_what_was_produced(kind, ctx):
    fields, products = PRODUCED[kind]
    assert kind(ctx, **fields).products() == products


def test_a_path_is_text(ctx):
    assert ExportContext(ctx, unique_export_path=Path("/out/1")).products() == {"unique_export_path": "/out/1"}


def test_products_are_declared_fields():
    for kind in ALL:
        assert set(kind.PRODUCTS) <= set(kind.__dataclass_fields__)


def test_products_are_on_the_spans_of_step_and_job(ctx, recorded):
    class Export(BaseStep[ExportContext]):
        name = "export"

        def execute(self, context):
            context.exported_count = 42
            return StepResult()

    registry = StepRegistry[ExportContext]()
    registry.register(Export())
    Orchestrator(registry, ExportContext(ctx, params={"format": "coco"})).execute()
    recorded.job.end()
    for span in (recorded.span("export"), recorded.span("train yolo")):
        assert span.attributes["synapse.exported_count"] == 42
        assert span.attributes["synapse.params.format"] == "coco"


def test_the_names_of_pre_annotation_are_one():
    assert ToTaskContext is AddTaskDataContext is NewerPath


def test_total_tasks(ctx):
    assert ToTaskContext(ctx, task_ids=[1, 2, 3]).total_tasks == 3


def test_parameters_of_an_upload(ctx):
    context = UploadContext(ctx, params={"name": "n", "max_file_size_mb": 1, "extra_params": {"max_file_size_mb": 2}})
    assert (context.upload_name, context.max_file_size_bytes) == ("n", 2 * 1024 * 1024)
    assert (context.batch_size, context.use_single_path, context.use_async_upload) == (200, True, True)
