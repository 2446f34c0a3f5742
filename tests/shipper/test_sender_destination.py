"""A destination is a value that keeps its secrets."""

import msgspec
import pytest

from synapse_otel.otlp.destination import Destination, Endpoint
from synapse_otel.otlp.endpoint import place
from synapse_otel.semconv.signal import Signal
from synapse_otel.shipper.configuration import ShipperConfiguration

SECRET = "hunter2"
LOGS = Endpoint(
    url=f"https://user:{SECRET}@example.org:4318/v1/logs?key={SECRET}#{SECRET}",
    headers={"Authorization": f"Bearer {SECRET}"},
    compression="gzip",
    timeout_seconds=2.5,
    certificate="/ca.pem",
    client_certificate="/client.pem",
    client_key="/client.key",
    proxy=f"http://user:{SECRET}@proxy:3128",
)
OTHER = Endpoint(url="http://[::1]:4318/v1/metrics")
DESTINATION = Destination(logs=LOGS, metrics=OTHER, traces=OTHER)


def configuration(destination):
    return ShipperConfiguration(roots=["/r"], destination=destination, key="k", interval_seconds=5)


def received(destination):
    """Return a destination as the shipper's process reads it."""
    return ShipperConfiguration.from_text(configuration(destination).to_text()).destination


def test_it_survives_the_way_to_another_process():
    assert received(DESTINATION) == DESTINATION


def test_text_that_holds_no_destination_is_refused():
    text = configuration(DESTINATION).to_text().replace("https://user", "ftp://user")
    with pytest.raises(msgspec.ValidationError, match="url"):
        ShipperConfiguration.from_text(text)


def test_every_signal_has_its_endpoint():
    assert [DESTINATION.endpoint(signal) for signal in (Signal.LOGS, Signal.METRICS, Signal.TRACES)] == [
        LOGS,
        OTHER,
        OTHER,
    ]


def test_it_shows_no_secret():
    shown = f"{DESTINATION!r} {DESTINATION} {LOGS.__rich_repr__()}"
    assert SECRET not in shown
    assert "https://example.org:4318/v1/logs" in shown
    assert "{'Authorization': '***'}" in shown


def test_its_key_tells_it_apart_and_nothing_else():
    key = DESTINATION.key(b"salt")
    assert key == received(DESTINATION).key(b"salt")
    assert len(key) == 32
    assert key != DESTINATION.key(b"other salt")
    for change in (
        {"headers": {"Authorization": "Bearer other"}},
        {"url": "https://example.org:4318/v1/logs"},
        {"timeout_seconds": 3.0},
    ):
        other = msgspec.structs.replace(DESTINATION, logs=msgspec.structs.replace(LOGS, **change))
        assert other.key(b"salt") != key


def test_its_key_does_not_depend_on_the_order_of_headers():
    one = msgspec.structs.replace(OTHER, headers={"a": "1", "b": "2"})
    two = msgspec.structs.replace(OTHER, headers={"b": "2", "a": "1"})
    keys = {Destination(logs=end, metrics=end, traces=end).key(b"salt") for end in (one, two)}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": f"ftp://user:{SECRET}@example.org"}, "url must be .* not 'ftp://example.org'"),
        ({"url": "localhost:4318"}, "url must be"),
        ({"url": "http://"}, "url must be"),
        ({"url": "http://host:99999"}, "url must be"),
        ({"url": "http://[::1"}, "url must be"),
        ({"proxy": "socks5://host"}, "proxy must be"),
        ({"timeout_seconds": 0.0}, "timeout_seconds must be above 0 and at most 3600, not 0.0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds"),
        ({"headers": {"a b": "c"}}, "'a b'"),
        ({"headers": {"key": f"{SECRET}\r\nHost: evil"}}, "'key'"),
        ({"headers": {"key": f"{SECRET}\u20ac"}}, "'key'"),
        (
            {"protocol": "grpc", "url": f"ftp://user:{SECRET}@example.org"},
            "url must be .* gRPC .* not 'ftp://example.org'",
        ),
        ({"protocol": "grpc", "url": ""}, "url must be"),
        ({"protocol": "grpc", "url": "two words:1"}, "url must be"),
        ({"protocol": "grpc", "url": "http://"}, "url must be"),
        ({"protocol": "grpc", "url": f"ann:{SECRET}@host:1"}, "url must be"),
        ({"protocol": "grpc", "proxy": "https://host"}, "proxy must be an http:// address"),
        ({"protocol": "grpc", "headers": {"k!": "v"}}, "'k!', .* gRPC"),
        ({"protocol": "grpc", "headers": {"key": f"{SECRET}\xe9"}}, "'key', .* gRPC"),
        ({"client_key": "/key.pem"}, "client_key '/key.pem' needs a client_certificate"),
    ],
)
def test_what_would_fail_with_every_request_is_refused_at_once(wrong, words):
    with pytest.raises(ValueError, match=words) as caught:
        Endpoint(**{"url": "http://localhost:4318/v1/logs", **wrong})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown", "is_local"),
    [
        ("http://collector", "collector:80", False),
        ("https://collector/v1/logs", "collector:443", False),
        ("HTTPS://me:pass@[fe80::1]:4317", "[fe80::1]:4317", False),
        ("http://localhost:4317", "localhost:4317", True),
        ("http://a.localhost", "a.localhost:80", True),
        ("https://127.1.2.3", "127.1.2.3:443", True),
        ("collector:4317", "collector:4317", False),
        ("127.0.0.1:4317", "127.0.0.1:4317", True),
        ("[::1]:4317", "[::1]:4317", True),
        ("dns:///collector:4317", "dns:///collector:4317", False),
        ("unix:///run/otel.sock", "unix:///run/otel.sock", True),
    ],
)
def test_where_an_address_is(url, shown, is_local):
    endpoint = Endpoint(url=url, protocol="grpc")
    assert (place(endpoint.url), endpoint.is_local) == (shown, is_local)


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"url": "http://collector:4318/v1/logs"}, False),
        ({"url": "https://collector:4318/v1/logs"}, True),
        ({"url": "http://collector:4318/v1/logs", "proxy": "http://proxy:3128"}, False),
        ({"url": "http://collector:4318/v1/logs", "proxy": "HTTPS://proxy:3128"}, True),
        ({"url": "http://localhost:4318/v1/logs", "proxy": "https://proxy:3128"}, False),
        ({"url": "collector:4317", "protocol": "grpc"}, True),
        ({"url": "collector:4317", "protocol": "grpc", "insecure": True}, False),
    ],
)
def test_openssl_is_needed_where_tls_is_spoken(options, needed):
    one = Endpoint(**options)
    assert one.needs_openssl is needed
    plain = Endpoint(url="http://collector:4318/v1/metrics")
    assert Destination(logs=plain, metrics=plain, traces=one).needs_openssl is needed
