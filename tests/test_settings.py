"""Every setting: where it comes from, and what a wrong one says."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_otel.runtime.process_environment import strip_standard_variables
from synapse_otel.settings import (
    OtlpSettings,
    Settings,
    SettingsError,
    check_standard_variables,
    load_destination,
    load_settings,
    variables_of,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

VARIABLES = {
    "journal_dir": ("SYNAPSE_OTEL_JOURNAL_DIR", "/a/b", Path("/a/b")),
    "journal_budget": ("SYNAPSE_OTEL_JOURNAL_BUDGET", "64MiB", 64 << 20),
    "journal_keep": ("SYNAPSE_OTEL_JOURNAL_KEEP", "true", True),
    "shipper": ("SYNAPSE_OTEL_SHIPPER", "thread", "thread"),
    "host_providers": ("SYNAPSE_OTEL_HOST_PROVIDERS", "also", "also"),
    "live_spans": ("SYNAPSE_OTEL_LIVE_SPANS", "job", "job"),
    "exit_timeout": ("SYNAPSE_OTEL_EXIT_TIMEOUT", "0.5", 0.5),
    "stall_timeout": ("SYNAPSE_OTEL_STALL_TIMEOUT", "60", 60.0),
    "journal_kept_budget": ("SYNAPSE_OTEL_JOURNAL_KEPT_BUDGET", "2GiB", 2 << 30),
    "journal_total_budget": ("SYNAPSE_OTEL_JOURNAL_TOTAL_BUDGET", "1GiB", 1 << 30),
    "journal_retention_runs": ("SYNAPSE_OTEL_JOURNAL_RETENTION_RUNS", "5", 5),
    "journal_retention_age": ("SYNAPSE_OTEL_JOURNAL_RETENTION_AGE", "3600", 3600.0),
    "instrument": ("SYNAPSE_OTEL_INSTRUMENT", "true", True),
    "native": ("SYNAPSE_OTEL_NATIVE", " Off ", "off"),
    "sdk_request_spans": ("SYNAPSE_OTEL_SDK_REQUEST_SPANS", "1", True),
    "jaeger_url": ("SYNAPSE_OTEL_JAEGER_URL", "http://jaeger:16686/", "http://jaeger:16686"),
    "verify_logs_url": ("SYNAPSE_OTEL_VERIFY_LOGS_URL", "http://logs:9428/", "http://logs:9428"),
    "verify_prometheus_url": ("SYNAPSE_OTEL_VERIFY_PROMETHEUS_URL", "https://p:9090/prefix", "https://p:9090/prefix"),
    "verify_timeout": ("SYNAPSE_OTEL_VERIFY_TIMEOUT", "5", 5.0),
    "verify_routed_tenants": ("SYNAPSE_OTEL_VERIFY_ROUTED_TENANTS", "acme, globex", ("acme", "globex")),
    "usage_interval": ("SYNAPSE_OTEL_USAGE_INTERVAL", "0", 0.0),
    "self_telemetry": ("SYNAPSE_OTEL_SELF_TELEMETRY", "false", False),
    "watched_by": ("SYNAPSE_OTEL_WATCHED_BY", "token", "token"),
    "log_level": ("SYNAPSE_OTEL_LOG_LEVEL", "debug", "debug"),
    "redact_keys": ("SYNAPSE_OTEL_REDACT_KEYS", "pin, iban,", ("pin", "iban")),
    "sdk_disabled": ("OTEL_SDK_DISABLED", "true", True),
    "metric_export_interval": ("OTEL_METRIC_EXPORT_INTERVAL", "250", 250.0),
    "run_name": ("SYNAPSE_OTEL_RUN_NAME", "nightly", "nightly"),
    "run_tags": ("SYNAPSE_OTEL_RUN_TAGS", "base, gpu,", ("base", "gpu")),
    "run_notes": ("SYNAPSE_OTEL_RUN_NOTES", "with less data", "with less data"),
    "traceparent": ("TRACEPARENT", TRACE, TRACE),
    "tracestate": ("TRACESTATE", "a=b", "a=b"),
    "job": ("SYNAPSE_OTEL_JOB", "{}", "{}"),
    "endpoint": ("SYNAPSE_OTEL_ENDPOINT", "http://c:1", "http://c:1"),
    "protocol": ("SYNAPSE_OTEL_PROTOCOL", "gRPC", "grpc"),
    "headers": ("SYNAPSE_OTEL_HEADERS", "X-Key=a%20b, tenant = t", {"x-key": "a b", "tenant": "t"}),
}

DEFAULTS = {
    "journal_budget": 512 << 20,
    "journal_keep": False,
    "shipper": "process",
    "host_providers": "only",
    "live_spans": "steps",
    "exit_timeout": 2.0,
    "stall_timeout": 300.0,
    "journal_total_budget": 8 << 30,
    "journal_kept_budget": 1 << 30,
    "journal_retention_runs": 1_000,
    "journal_retention_age": 30 * 86_400.0,
    "instrument": False,
    "native": "on",
    "sdk_request_spans": False,
    "jaeger_url": None,
    "verify_logs_url": "http://127.0.0.1:9428",
    "verify_prometheus_url": "http://127.0.0.1:9090",
    "verify_timeout": 60.0,
    "verify_routed_tenants": (),
    "usage_interval": 5.0,
    "self_telemetry": True,
    "watched_by": None,
    "log_level": "info",
    "redact_keys": (),
    "sdk_disabled": False,
    "metric_export_interval": 5000,
    "run_name": None,
    "run_tags": (),
    "run_notes": None,
    "traceparent": None,
    "tracestate": None,
    "job": None,
    "endpoint": None,
    "protocol": None,
    "headers": None,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """No pyproject.toml but the test's own, no proxy, and not what a whole run is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNAPSE_OTEL_NATIVE", raising=False)
    for name in [found for found in os.environ if found.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
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


@pytest.mark.parametrize("name", ["sdk_disabled", "metric_export_interval", "traceparent", "tracestate"])
def test_a_variable_of_opentelemetrys_is_also_one_of_ours_which_wins(monkeypatch, name):
    variable, text, value = VARIABLES[name]
    ours, same = variables_of(name)
    assert (ours, same) == (f"SYNAPSE_OTEL_{variable.removeprefix('OTEL_')}", variable)
    monkeypatch.setenv(variable, {"sdk_disabled": "false", "metric_export_interval": "9"}.get(name, "other"))
    assert getattr(load_settings(), name) != value
    monkeypatch.setenv(ours, text)
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
    ("SYNAPSE_OTEL_METRIC_EXPORT_INTERVAL", "0", "greater than 0"),
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
    with pytest.raises(SettingsError, match=r"^unknown setting shiper; the settings are .*, shipper, "):
        load_settings(shiper="off")


def test_an_unknown_entry_in_pyproject_is_named(folder):
    (folder / "pyproject.toml").write_text("[tool.synapse_otel]\nshiper = 1\n")
    with pytest.raises(SettingsError, match="SHIPER=1"):
        load_settings()


def test_an_error_is_a_value_error_of_one_line():
    with pytest.raises(ValueError, match="pigeon") as raised:
        load_settings(shipper="pigeon", log_level="loud")
    assert "\n" not in str(raised.value)
    assert raised.value.__notes__ == ["`synapse-otel doctor settings` tells more"]


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


SIGNALS = ("logs", "metrics", "traces")
CHANGES = {
    "ENDPOINT": ("http://all:1", "http://own:2", "url", "http://own:2"),
    "PROTOCOL": ("http/protobuf", "grpc", "protocol", "grpc"),
    "INSECURE": ("false", "true", "insecure", True),
    "HEADERS": ("k=all", "k=own", "headers", {"k": "own"}),
    "COMPRESSION": ("gzip", "none", "compression", "none"),
    "TIMEOUT": ("1000", "250", "timeout_seconds", 0.25),
    "CERTIFICATE": ("all.pem", "own.pem", "certificate", "own.pem"),
    "CLIENT_CERTIFICATE": ("all.pem", "own.pem", "client_certificate", "own.pem"),
    "CLIENT_KEY": ("all.pem", "own.pem", "client_key", "own.pem"),
}
"""By variable: the common value, a signal's own, the field of its endpoint, and what stands there then."""


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("variable", CHANGES)
def test_every_variable_exists_for_one_signal_and_wins_there(monkeypatch, folder, variable, signal):
    for name in ("all.pem", "own.pem"):
        (folder / name).touch()
    common, own, field, value = CHANGES[variable]
    if variable == "CLIENT_KEY":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "all.pem")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", common)
    before = destination()
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{variable}", own)
    after = destination()
    expected = str(folder / "own.pem") if value == "own.pem" else value
    for other in SIGNALS:
        found, was = (getattr(getattr(where, other), field) for where in (after, before))
        assert found == (expected if other == signal else was)
        assert (found != was) is (other == signal)


def test_no_variable_of_the_exporter_is_left_out():
    assert {name.lower() for name in CHANGES} == set(OtlpSettings.model_fields)


GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


@pytest.mark.parametrize(
    ("variables", "url", "secure"),
    [
        ({}, "http://localhost:4317", False),
        ({"ENDPOINT": "http://all:4317"}, "http://all:4317", False),
        ({"ENDPOINT": "https://all:4317/"}, "https://all:4317/", True),
        ({"ENDPOINT": "http://all:4317", "INSECURE": "false"}, "http://all:4317", False),
        ({"ENDPOINT": "https://all:4317", "INSECURE": "true"}, "https://all:4317", True),
        ({"ENDPOINT": "all:4317"}, "all:4317", True),
        ({"ENDPOINT": "all:4317", "INSECURE": "TRUE"}, "all:4317", False),
        ({"ENDPOINT": "dns:///all:4317", "INSECURE": "true"}, "dns:///all:4317", False),
        ({"ENDPOINT": "unix:///run/otel.sock", "INSECURE": "true"}, "unix:///run/otel.sock", False),
        ({"ENDPOINT": "http://all:4317", "LOGS_ENDPOINT": "http://own:1"}, "http://own:1", False),
    ],
    ids=str,
)
def test_the_endpoint_of_grpc(monkeypatch, variables, url, secure):
    for name, value in ({"PROTOCOL": "grpc"} | variables).items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    found = destination().logs
    assert (found.protocol, found.url, found.secure) == ("grpc", url, secure)


def test_our_own_endpoint_is_one_of_grpc_too(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own:1")
    assert destination(endpoint="http://ours:4317").traces.url == "http://ours:4317"


def test_each_signal_may_have_its_own_protocol_and_its_default(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", " GRPC ")
    found = destination()
    assert (found.logs.url, found.metrics.url) == ("http://localhost:4318/v1/logs", "http://localhost:4317")


def test_the_shipper_works_in_another_folder_so_paths_are_absolute(monkeypatch, folder):
    (folder / "ca.pem").touch()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem")
    assert destination().logs.certificate == str(folder / "ca.pem")
    for name, value in {"PROTOCOL": "grpc", "ENDPOINT": "unix:otel.sock"}.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    assert destination().logs.url == f"unix:{folder / 'otel.sock'}"


def test_no_limit_of_the_time_is_an_hour(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "1500")
    found = destination()
    assert (found.logs.timeout_seconds, found.traces.timeout_seconds) == (1.5, 3600.0)


PROXY = "http://me:secret@proxy:3128"


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": PROXY}, PROXY),
        ({"http_proxy": PROXY}, PROXY),
        ({"http_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": PROXY}, None),
        ({"ALL_PROXY": PROXY}, None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "other, .far"}, None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.far:4318"}, None),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "a.far:1"}, PROXY),
        ({"HTTP_PROXY": PROXY, "no_proxy": "*"}, None),
        ({"NO_PROXY": "*"}, None),
        ({"HTTP_PROXY": "socks5://x:1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, None),
        ({"HTTPS_PROXY": PROXY, "OTEL_EXPORTER_OTLP_ENDPOINT": "https://a.far:4318"}, PROXY),
        ({"HTTP_PROXY": PROXY, "OTEL_EXPORTER_OTLP_ENDPOINT": "https://a.far:4318"}, None),
        ({"HTTPS_PROXY": PROXY, **GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": "a.far:4317"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.far", **GRPC, "OTEL_EXPORTER_OTLP_ENDPOINT": "a.far:4317"}, None),
    ],
    ids=str,
)
def test_the_proxy_of_the_environment(monkeypatch, variables, proxy):
    for name, value in ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a.far:4318"} | variables).items():
        monkeypatch.setenv(name, value)
    found = destination()
    assert found.logs.proxy == found.traces.proxy == proxy
    assert "secret" not in repr(found)


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
        (
            {"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/json"},
            r"^OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/json: .*'grpc' or 'http/protobuf'",
        ),
        ({"OTEL_EXPORTER_OTLP_INSECURE": "1"}, r"^OTEL_EXPORTER_OTLP_INSECURE=1: must be true or false"),
        (GRPC | {"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://x"}, r"^OTEL_EXPORTER_OTLP_ENDPOINT: .*gRPC.*'ftp://x"),
        (GRPC | {"OTEL_EXPORTER_OTLP_HEADERS": "key=%C3%A9"}, r"^OTEL_EXPORTER_OTLP_HEADERS: headers: 'key'.* gRPC"),
        ({"OTEL_EXPORTER_OTLP_CLIENT_KEY": __file__}, r"^OTEL_EXPORTER_OTLP_CLIENT_KEY: .*needs a client_certificate"),
        (
            {"HTTP_PROXY": "socks5://x:1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://far"},
            r"^HTTP_PROXY or .*'socks5://x:1'",
        ),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}, r"^OTEL_EXPORTER_OTLP_COMPRESSION=zip: .*'none' or 'gzip'"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "-1"}, r"^OTEL_EXPORTER_OTLP_TIMEOUT=-1: .*greater than or equal to 0"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "inf"}, r"^OTEL_EXPORTER_OTLP_TIMEOUT: .*3600"),
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


def test_our_own_variables_alone_can_say_all_of_a_destination(monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_PROTOCOL", "grpc")
    monkeypatch.setenv("SYNAPSE_OTEL_ENDPOINT", "http://c:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf")
    destination = load_destination(load_settings())
    for endpoint in (destination.logs, destination.metrics, destination.traces):
        assert (endpoint.protocol, endpoint.url) == ("grpc", "http://c:4317")


# --- what stands around a value ---------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["{}\n", " {} ", "\t{}\r\n"])
def test_white_space_around_a_value_is_none_of_it(around, folder, monkeypatch):
    (folder / "ca.pem").write_text("")
    values = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic abc",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2000",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(folder / "ca.pem"),
        "SYNAPSE_OTEL_JOURNAL_DIR": str(folder / "journals"),
        "SYNAPSE_OTEL_JOURNAL_BUDGET": "32MiB",
        "SYNAPSE_OTEL_SHIPPER": "thread",
        "SYNAPSE_OTEL_JOURNAL_KEEP": "true",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, around.format(value))
    settings = load_settings()
    endpoint = load_destination(settings).logs
    assert endpoint.url == "http://collector:4318/v1/logs"
    assert endpoint.headers == {"authorization": "Basic abc"}
    assert (endpoint.compression, endpoint.timeout_seconds) == ("gzip", 2.0)
    assert endpoint.certificate == str(folder / "ca.pem")
    assert settings.journal_dir == folder / "journals"
    assert (settings.shipper, settings.journal_keep, settings.metric_export_interval) == ("thread", True, 1000)


def test_white_space_alone_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_SHIPPER", " \n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "\n")
    assert load_settings().shipper == "process"
    assert load_destination(load_settings()).logs.url == "http://localhost:4318/v1/logs"


@pytest.mark.parametrize("inner", ["http://a\nb:4318", "http://a b:4318", "http://a:4318/x\ty", "http://\x7fa:4318"])
def test_white_space_within_an_address_is_refused_by_name(inner, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", inner)
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT: "):
        load_destination(load_settings())


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("http://a:4318/otlp?key=abc", "http://a:4318/otlp/v1/logs?key=abc"),
        ("http://a:4318/?key=a/b", "http://a:4318/v1/logs?key=a/b"),
        ("http://a:4318?key=abc", "http://a:4318/v1/logs?key=abc"),
        ("http://a:4318/otlp#part", "http://a:4318/otlp/v1/logs"),
        ("http://a:4318/otlp/?a=b#part", "http://a:4318/otlp/v1/logs?a=b"),
        ("http://a:4318/otlp/", "http://a:4318/otlp/v1/logs"),
    ],
)
def test_the_path_of_a_signal_is_added_to_that_of_the_base(base, expected, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", base)
    assert load_destination(load_settings()).logs.url == expected


def test_a_table_of_ours_that_is_none_is_named(folder):
    (folder / "pyproject.toml").write_text("[tool]\nsynapse_otel = 3\n")
    with pytest.raises(SettingsError, match=r"pyproject.toml: \[tool.synapse_otel\] must be a table, not 3"):
        load_settings()


def test_a_relative_folder_without_a_working_directory_stays_as_it_is(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", "journals")
    assert str(load_settings().journal_dir) == "journals"


def test_a_home_that_nobody_knows_is_said_by_the_name_of_the_setting(monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_JOURNAL_DIR", "~nobody-of-this-name/x")
    with pytest.raises(SettingsError, match="SYNAPSE_OTEL_JOURNAL_DIR"):
        load_settings()


# --- variables of OpenTelemetry's that its own parts read -------------------------------------------------

NONSENSE = {
    **dict.fromkeys(
        (
            "OTEL_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "OTEL_SPAN_LINK_COUNT_LIMIT",
        ),
        "12",
    ),
    "OTEL_METRICS_EXEMPLAR_FILTER": "always_on",
    "OTEL_PROPAGATORS": "tracecontext,baggage",
    "OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "sdk_meter_provider",
    "OTEL_PYTHON_LOGGER_PROVIDER": "sdk_logger_provider",
}
"""By variable: what is right."""


@pytest.mark.parametrize("name", NONSENSE)
@pytest.mark.parametrize("value", ["nonsense", "-1"])
def test_nonsense_in_a_standard_variable_is_refused_by_name(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}={value}: "):
        check_standard_variables()


@pytest.mark.parametrize("name", NONSENSE)
def test_a_standard_variable_that_is_right_is_no_problem(name, monkeypatch):
    for value in (f" {NONSENSE[name]}\n", "", " \n"):
        monkeypatch.setenv(name, value)
        check_standard_variables()
        assert os.environ[name] == value, "settings only read"
        strip_standard_variables()
        assert os.environ.get(name) == (value.strip() or None), "the SDK does not strip each of them"


def test_every_limit_of_the_sdk_is_checked():
    from opentelemetry.sdk import environment_variables

    names = {name for name in dir(environment_variables) if name.startswith("OTEL_") and name.endswith("_LIMIT")}
    assert {name for name in names if "LOG_RECORD" not in name and "LOGRECORD" not in name} <= set(NONSENSE)


@pytest.mark.parametrize("name", ["OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PROPAGATORS"])
def test_a_job_amid_nonsense_ends_with_the_name(name, tmp_path):
    program = "import synapse_otel\nwith synapse_otel.job('train', plugin='p'): pass"
    variables = {**os.environ, name: "nonsense", "SYNAPSE_OTEL_JOURNAL_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert f"SettingsError: {name}=nonsense: " in ended.stderr
