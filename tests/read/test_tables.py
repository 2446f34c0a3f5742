"""Tables over several runs, in Python, as data frames and as exported files."""

from __future__ import annotations

import csv
import sys

import pytest
from pyarrow import parquet

from synapse_otel import read
from tests.read.jobs import EVIL, PARAMS
from tests.runs.runs import command
from tests.wheels import needs

pytestmark = pytest.mark.once

PARAM_COLUMNS = ["params.deep", "params.layers", "params.lr", "params.optimizer.name", "params.prompt"]


def test_a_table_has_a_row_for_each_run(root):
    found = read.table(read.runs(folder=root))
    assert len(found) == 4
    columns = found.columns
    assert columns["run"] == list(PARAMS)
    assert columns["state"] == ["done", "done", "done", "crashed"]
    assert columns["params.lr"] == [1.0, 0.5, 0.25, 0.125]
    assert columns["params.deep"] == [True, False, None, None]
    assert columns["params.layers"] == [None, 1 << 40, None, None]
    assert columns["metrics.training.loss"] == [1 / 3] * 4
    assert columns["tags"] == ["base", "base, gpu", "base", "base"]
    assert columns["missing"] == [0] * 4
    assert [row["run"] for row in found.rows()] == list(PARAMS)


def test_a_table_of_samples_begins_with_run_and_parameters(root):
    runs = read.runs(folder=root)
    found = read.table(runs, "metrics")
    assert list(found.columns)[:8] == ["run", "run_id", *PARAM_COLUMNS, "time"]
    rows = [row for row in found.rows() if row["name"] == "loss"]
    assert [(row["run"], row["params.lr"]) for row in rows[::3]] == [
        (name, float(params["lr"])) for name, params in PARAMS.items()
    ]
    assert len(read.table(runs, "messages")) == sum(len(one.messages()) for one in runs)
    assert len(read.table([])) == len(read.table([], "spans")) == 0


@needs("pandas")
def test_data_frames_of_pandas(root):
    pd = pytest.importorskip("pandas") if sys.version_info >= (3, 14) else __import__("pandas")
    frame = read.table(read.runs(folder=root)).to_pandas()
    assert frame.shape[0] == 4
    assert str(frame["start"].dtype) == "datetime64[ns, UTC]"
    first = read.run("small", folder=root)
    assert frame["start"][0].value == first.start
    assert pd.isna(frame["params.deep"][3])
    assert frame["params.layers"][1] == 1 << 40
    assert frame.groupby("params.lr")["metrics.training.loss"].min().to_list() == [1 / 3] * 4
    spans = read.table(read.runs(folder=root), "spans").to_pandas()
    assert spans["end"].isna().tolist() == [run == "killed" for run in spans["run"]]
    loss = first.to_pandas()
    assert "run" not in loss.columns
    assert loss[loss["name"] == "loss"]["value"].to_list() == [1.0, 0.5, 1 / 3]
    assert first.to_pandas("messages")["severity"].dtype == "Int32"
    assert read.table([]).to_pandas().empty


def test_data_frames_of_polars(root):
    import polars as pl

    frame = read.table(read.runs(folder=root)).to_polars()
    assert frame.schema["start"] == pl.Datetime("ns", "UTC")
    assert frame["start"].to_physical()[0] == read.run("small", folder=root).start
    assert frame["params.layers"].to_list() == [None, 1 << 40, None, None]
    assert frame["params.deep"].to_list() == [True, False, None, None]
    spans = read.run("killed", folder=root).to_polars("spans")
    assert spans["end"].to_list() == [None]
    assert read.table([], "metrics").to_polars().is_empty()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_that_is_missing_is_named(root, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    found = read.table(read.runs(folder=root))
    with pytest.raises(read.LibraryMissingError, match=f"pip install {library}"):
        getattr(found, f"to_{library}")()


def test_a_table_shows_itself_in_a_notebook(root):
    shown = read.table(read.runs(folder=root), "messages")._repr_html_()
    assert EVIL not in shown
    assert "failing &lt;script&gt;" in shown
    many = read.RunTable({}, {"n": list(range(1000)), "<b>": [0.1] * 1000})._repr_html_()
    assert many.count("<tr>") == 52
    assert "... 950 more" in many
    assert "<th>&lt;b&gt;</th>" in many


# --- exported


def exported(root, kind, target, *arguments):
    return command(root, "export", *arguments, "--format", kind, "-o", str(target))


def test_several_runs_are_exported_as_one_set_of_tables(root, tmp_path):
    ended = exported(root, "csv", tmp_path / "csv", "small", "large")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "csv").iterdir()) == ["messages.csv", "metrics.csv", "spans.csv"]
    with (tmp_path / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:9] == ["run", "run_id", *PARAM_COLUMNS, "time", "unix_nanoseconds"]
    runs = [read.run(name, folder=root) for name in ("small", "large")]
    expected = list(read.table(runs, "metrics").rows())
    assert [(row["run"], row["name"], float(row["value"])) for row in rows] == [
        (row["run"], row["name"], row["value"]) for row in expected
    ]
    assert {(row["run"], row["params.lr"], row["params.layers"]) for row in rows} == {
        ("small", "1.0", ""),
        ("large", "0.5", str(1 << 40)),
    }


def test_all_matches_are_exported_to_parquet_with_types(root, tmp_path):
    ended = exported(root, "parquet", tmp_path / "deep" / "parquet", "--all", "base")
    assert (ended.returncode, ended.stderr) == (0, "")
    for of in ("metrics", "messages", "spans"):
        found = parquet.read_table(tmp_path / "deep" / "parquet" / f"{of}.parquet")
        expected = read.table(read.runs("base", folder=root), of)
        assert found.column_names == list(expected.columns)
        assert found["run_id"].to_pylist() == expected.columns["run_id"]
        types = [str(found.schema.field(name).type) for name in PARAM_COLUMNS]
        assert types == ["bool", "int64", "double", "string", "string"]
        assert found["params.lr"].to_pylist() == expected.columns["params.lr"]


def test_all_without_a_run_is_every_run_and_no_run_is_said(root, tmp_path):
    assert exported(root, "csv", tmp_path / "csv", "--all").returncode == 0
    with (tmp_path / "csv" / "spans.csv").open(newline="") as file:
        assert [row["run"] for row in csv.DictReader(file)] == list(PARAMS)
    (tmp_path / "empty").mkdir()
    ended = exported(tmp_path / "empty", "csv", tmp_path / "none", "--all")
    assert ended.returncode == 2
    assert "there is no run in" in ended.stderr


def test_a_run_that_is_meant_twice_is_there_once(root, tmp_path):
    assert exported(root, "csv", tmp_path / "csv", "small", "mall").returncode == 0
    with (tmp_path / "csv" / "spans.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["train yolo"]
    assert "run" not in rows[0]


@pytest.mark.parametrize("kind", ["html", "otlp-json"])
def test_what_holds_one_run_says_so(root, tmp_path, kind):
    ended = exported(root, kind, tmp_path / "file", "small", "large")
    assert ended.returncode == 2
    assert ended.stderr == f"synapse-otel: {kind} takes one run, and these are 2: csv and parquet take several\n"
    assert not (tmp_path / "file").exists()


def test_a_file_of_several_runs_is_one_set_of_tables(root, tmp_path):
    lines = []
    for name in ("small", "large"):
        assert exported(root, "otlp-json", tmp_path / name, name).returncode == 0
        lines.append((tmp_path / name).read_text())
    (tmp_path / "both").write_text("".join(lines))
    assert exported(root, "csv", tmp_path / "csv", str(tmp_path / "both")).returncode == 0
    with (tmp_path / "csv" / "spans.csv").open(newline="") as file:
        assert [(row["run"], row["params.lr"]) for row in csv.DictReader(file)] == [("small", "1.0"), ("large", "0.5")]


def test_one_incomplete_run_keeps_all_tables_from_being_written(root, tmp_path, sink):
    from tests.read.conftest import record

    variables = {"SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET": "0", "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
    record(tmp_path / "runs", "small", **variables)
    assert command(tmp_path / "runs", "sync", **variables).returncode == 0
    record(tmp_path / "runs", "large")
    ended = exported(tmp_path / "runs", "csv", tmp_path / "csv", "small", "large")
    assert ended.returncode == 2
    assert "delivered and removed" in ended.stderr
    assert not (tmp_path / "csv").exists()
    ended = exported(tmp_path / "runs", "csv", tmp_path / "csv", "small", "large", "--incomplete")
    assert ended.returncode == 0
    assert "the file has what is left: " in ended.stderr
    with (tmp_path / "csv" / "spans.csv").open(newline="") as file:
        assert [row["run"] for row in csv.DictReader(file)] == ["large"]
