"""Every setting: where it comes from, and what a wrong one says."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from synapse_otel.settings import Settings, SettingsError, load_destination, load_settings

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

VARIABLES = {
    "journal_dir": ("SYNAPSE_OTEL_JOURNAL_DIR", "/a/b", Path("/a/b")),
    "journal_budget": ("SYNAPSE_OTEL_JOURNAL_BUDGET", "64MiB", 64 << 20),
    "journal_keep": ("SYNAPSE_OTEL_JOURNAL_KEEP", "true", True),
    "shipper": ("SYNAPSE_OTEL_SHIPPER", "thread", "thread"),
    "live_spans": ("SYNAPSE_OTEL_LIVE_SPANS", "job", "job"),
    "exit_timeout": ("SYNAPSE_OTEL_EXIT_TIMEOUT", "0.5", 0.5),
    "log_level": ("SYNAPSE_OTEL_LOG_LEVEL", "debug", "debug"),
    "redact_keys": ("SYNAPSE_OTEL_REDACT_KEYS", "pin, iban,", ("pin", "iban")),
    "sdk_disabled": ("OTEL_SDK_DISABLED", "true", True),
    "metric_export_interval": ("OTEL_METRIC_EXPORT_INTERVAL", "250", 250.0),
    "traceparent": ("TRACEPARENT", TRACE, TRACE),
    "tracestate": ("TRACESTATE", "a=b", "a=b"),
    "endpoint": ("SYNAPSE_OTEL_ENDPOINT", "http://c:1", "http://c:1"),
    "headers": ("SYNAPSE_OTEL_HEADERS", "X-Key=a%20b, tenant = t", {"x-key": "a b", "tenant": "t"}),
}

DEFAULTS = {
    "journal_budget": 512 << 20,
    "journal_keep": False,
    "shipper": "process",
    "live_spans": "steps",
    "exit_timeout": 2.0,
    "log_level": "info",
    "redact_keys": (),
    "sdk_disabled": False,
    "metric_export_interval": 5000,
    "traceparent": None,
    "tracestate": None,
    "endpoint": None,
    "headers": None,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """No pyproject.toml but the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_setting_is_tested():
    assert set(VARIABLES) == set(Settings.model_fields) == set(DEFAULTS) | {"journal_dir"}


def test_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    settings = load_settings()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert settings.journal_dir == tmp_path / "state" / "synapse-otel"


@pytest.mark.parametrize("state", ["", "relative/path"])
def test_a_state_folder_that_is_none_is_the_one_of_the_specification(tmp_path, monkeypatch, state):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", state)
    assert load_settings().journal_dir == tmp_path / ".local" / "state" / "synapse-otel"


@pytest.mark.parametrize("name", VARIABLES)
def test_from_the_environment(monkeypatch, name):
    variable, text, value = VARIABLES[name]
    monkeypatch.setenv(variable, text)
    assert getattr(load_settings(), name) == value


@pytest.mark.parametrize("name", VARIABLES)
def test_set_to_nothing_is_not_set(monkeypatch, name):
    before = load_settings()
    monkeypatch.setenv(VARIABLES[name][0], "")
    assert load_settings() == before


def test_argument_before_environment_before_pyproject_before_default(folder, monkeypatch):
    def shipper(**arguments):
        return load_settings(**arguments).shipper

    assert shipper() == "process"
    (folder / "pyproject.toml").write_text('[tool.synapse_otel]\nshipper = "thread"\nredact_keys = ["pin"]\n')
    assert shipper() == "thread"
    assert load_settings().redact_keys == ("pin",)
    monkeypatch.setenv("SYNAPSE_OTEL_SHIPPER", "off")
    assert shipper() == "off"
    assert shipper(shipper="process") == "process"


def test_paths_of_the_user_are_absolute(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert load_settings(journal_dir="~/j").journal_dir == Path("/home/ann/j")
    assert load_settings(journal_dir="j").journal_dir == folder / "j"


@pytest.mark.parametrize(("level", "number"), [("debug", 10), ("info", 20), ("critical", 50), ("off", None)])
def test_the_level_of_logging(level, number):
    assert load_settings(log_level=level).logging_level == number
    assert number is None or logging.getLevelName(number) == level.upper()


WRONG = [
    ("SYNAPSE_OTEL_SHIPPER", "pigeon", "'process', 'thread' or 'off'"),
    ("SYNAPSE_OTEL_LIVE_SPANS", "all", "'off', 'job' or 'steps'"),
    ("SYNAPSE_OTEL_LOG_LEVEL", "loud", "'debug', 'info', 'warning', 'error', 'critical' or 'off'"),
    ("SYNAPSE_OTEL_JOURNAL_KEEP", "maybe", "boolean"),
    ("SYNAPSE_OTEL_JOURNAL_BUDGET", "much", "byte"),
    ("SYNAPSE_OTEL_JOURNAL_BUDGET", "1MiB", "at least 16MiB"),
    ("SYNAPSE_OTEL_EXIT_TIMEOUT", "-1", "greater than or equal to 0"),
    ("SYNAPSE_OTEL_EXIT_TIMEOUT", "soon", "number"),
    ("OTEL_SDK_DISABLED", "maybe", "boolean"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0", "greater than 0"),
]


@pytest.mark.parametrize(("variable", "value", "allowed"), WRONG)
def test_a_wrong_variable_is_named_with_its_value_and_what_is_allowed(monkeypatch, variable, value, allowed):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"^{variable}={value}: .*{re.escape(allowed)}"):
        load_settings()


def test_all_wrong_ones_are_named_at_once(monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_SHIPPER", "pigeon")
    monkeypatch.setenv("SYNAPSE_OTEL_EXIT_TIMEOUT", "-1")
    with pytest.raises(SettingsError, match=r"SYNAPSE_OTEL_SHIPPER=pigeon: .*; SYNAPSE_OTEL_EXIT_TIMEOUT=-1: "):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "variable"),
    [
        ("shipper", "pigeon", "SYNAPSE_OTEL_SHIPPER"),
        ("sdk_disabled", "maybe", "OTEL_SDK_DISABLED"),
        ("metric_export_interval", -1, "OTEL_METRIC_EXPORT_INTERVAL"),
    ],
)
def test_a_wrong_argument_is_named_as_its_variable_is(name, value, variable):
    with pytest.raises(SettingsError, match=f"^{variable}={value}: "):
        load_settings(**{name: value})


def test_an_unknown_argument_says_which_there_are():
    with pytest.raises(SettingsError, match=r"^unknown setting shiper; there are .*, shipper, "):
        load_settings(shiper="off")


def test_an_unknown_entry_in_pyproject_is_named(folder):
    (folder / "pyproject.toml").write_text("[tool.synapse_otel]\nshiper = 1\n")
    with pytest.raises(SettingsError, match="SHIPER=1"):
        load_settings()


def test_an_error_is_a_value_error_of_one_line():
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z"):
        load_settings(shipper="pigeon", log_level="loud")


# --- the destination -------------------------------------------------------------------------------------


def destination(**arguments):
    return load_destination(load_settings(**arguments))


def test_where_nothing_is_set_it_is_the_local_collector():
    found = destination()
    assert [found.logs.url, found.metrics.url, found.traces.url] == [
        f"http://localhost:4318/v1/{signal}" for signal in ("logs", "metrics", "traces")
    ]


def test_a_signals_own_variables_win_over_the_common_ones(monkeypatch, tmp_path):
    certificate = tmp_path / "ca.pem"
    certificate.write_text("x")
    for name, value in {
        "ENDPOINT": "https://all:4318/base/",
        "HEADERS": "k=all",
        "TIMEOUT": "1500",
        "COMPRESSION": "gzip",
        "CERTIFICATE": str(certificate),
        "TRACES_ENDPOINT": "http://own/traces",
        "TRACES_HEADERS": "k=own",
        "TRACES_TIMEOUT": "250",
        "TRACES_COMPRESSION": "none",
    }.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    found = destination()
    assert found.logs.url == "https://all:4318/base/v1/logs"
    assert (found.logs.headers, found.logs.timeout_seconds, found.logs.compression) == ({"k": "all"}, 1.5, "gzip")
    assert found.logs.certificate == str(certificate)
    assert found.traces.url == "http://own/traces"
    assert (found.traces.headers, found.traces.timeout_seconds, found.traces.compression) == (
        {"k": "own"},
        0.25,
        "none",
    )


def test_our_own_endpoint_and_headers_win_over_all(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "k=all")
    found = destination(endpoint="http://ours", headers={"k": "ours"})
    assert found.traces.url == "http://ours/v1/traces"
    assert found.traces.headers == {"k": "ours"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://x"}, r"^OTEL_EXPORTER_OTLP_ENDPOINT: .*'ftp://x"),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "x"}, r"^OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: .*'x'"),
        ({"SYNAPSE_OTEL_ENDPOINT": "x:4318"}, r"^SYNAPSE_OTEL_ENDPOINT: .*'x:4318"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier"}, r"^OTEL_EXPORTER_OTLP_PROTOCOL=carrier: .*'http/protobuf'"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}, r"^OTEL_EXPORTER_OTLP_COMPRESSION=zip: .*'none' or 'gzip'"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0"}, r"^OTEL_EXPORTER_OTLP_TIMEOUT=0: .*greater than 0"),
        ({"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "99999999"}, r"^OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: .*3600"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/file"}, r"^OTEL_EXPORTER_OTLP_CERTIFICATE=/no/file: .*file"),
    ],
)
def test_a_wrong_variable_of_the_exporter(monkeypatch, variables, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        destination()


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"},
        {"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "key=hunter2,hunter2"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "bad key=hunter2"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "key=hunter2%0A"},
        {"SYNAPSE_OTEL_HEADERS": "hunter2"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://ann:hunter2@x"},
        {"SYNAPSE_OTEL_ENDPOINT": "ann:hunter2@x"},
    ],
    ids=str,
)
def test_secrets_are_not_shown(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        destination()
    shown = "".join(str(error) for error in (raised.value, raised.value.__cause__, raised.value.__context__) if error)
    assert "hunter2" not in str(raised.value)
    assert any(name.removesuffix("_HEADERS").removesuffix("_ENDPOINT") in shown for name in variables)
    assert str(raised.value).startswith(tuple(variables))
