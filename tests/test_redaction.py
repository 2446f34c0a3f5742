"""No secret gets into the journal under its key, and none leaves the machine in a text."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_otel.journal.folder import run_folders
from synapse_otel.redaction import REDACTED, KeyRedaction, is_secret_key, redact_text, redact_values
from synapse_otel.testing import recorded_job
from tools.docs.secret_lines import harmless, hidden_part, kinds, lines

SECRET = [
    "password",
    "dbPassword",
    "DB_PASSWORD",
    "synapse.data.api_key",
    "apikey",
    "API-Key",
    "hf_token",
    "HFToken",
    "Authorization",
    "x-auth-token",
    "aws_secret_access_key",
    "private key",
    "client.secret",
    "passphrase",
    "Set-Cookie",
    "credentials",
]
OPEN = [
    "max_tokens",
    "tokenizer",
    "secretary",
    "key",
    "keyboard",
    "monkey",
    "passed",
    "author",
    "apikeys_count",
    "primary_key",
    "epoch",
    "",
    "キー",
]


@pytest.mark.parametrize("key", SECRET)
def test_a_key_that_names_a_secret(key):
    assert is_secret_key(key)
    assert KeyRedaction()({key: "hunter2"}) == {key: REDACTED}


@pytest.mark.parametrize("key", OPEN)
def test_a_key_that_does_not(key):
    assert not is_secret_key(key)
    assert KeyRedaction()({key: "hunter2"}) == {key: "hunter2"}


def test_further_words():
    redact = KeyRedaction(["PIN", "mein_wort"])
    assert redact({"user_pin": "1234x", "mein_wort": "x", "pinned": "x"}) == {
        "user_pin": REDACTED,
        "mein_wort": REDACTED,
        "pinned": "x",
    }


@pytest.mark.parametrize("value", ["text", b"bytes", ["list"], {"a": "mapping"}, ("tuple",)])
def test_whatever_a_secret_key_holds_goes(value):
    assert KeyRedaction()({"token": value}) == {"token": REDACTED}


@pytest.mark.parametrize("value", [5, 0.5, True, None])
def test_numbers_are_no_secrets(value):
    assert KeyRedaction()({"token": value}) == {"token": value}


def test_attributes_without_secrets_are_not_copied():
    redact = KeyRedaction()
    attributes = {"a": 1, "b": "x"}
    redact(attributes)
    assert redact(attributes) is attributes


KEYS = st.sampled_from([*SECRET, *OPEN])
DATA = st.recursive(
    st.just("hunter2"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def leaks(value):
    """Say whether a text stands below a secret key."""
    if isinstance(value, dict):
        return any((is_secret_key(key) and item != REDACTED) or leaks(item) for key, item in value.items())
    return isinstance(value, list) and any(leaks(item) for item in value)


@given(st.dictionaries(KEYS, DATA, max_size=5))
def test_no_secret_stays_at_any_depth(data):
    redact = KeyRedaction()
    first = redact(data)
    assert not leaks(first)
    assert redact(first) == first
    assert redact(data) == first, "what was judged before is judged the same"


# --- texts -----------------------------------------------------------------------------------------------

TEXTS = {
    "AKIAIOSFODNN7EXAMPLE": REDACTED,
    "key ASIAIOSFODNN7EXAMPLE.": f"key {REDACTED}.",
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_1": f"jwt {REDACTED}",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": REDACTED,
    "github_pat_11ABCDEFG0abcdefghijkl_mnop": REDACTED,
    "hf_abcdefghijklmnopqrstuvwxyz": REDACTED,
    "xoxb-123456789012-abc": REDACTED,
    "sk-proj-abcdefghijklmnopqrstuv": REDACTED,
    "Authorization: Bearer abcdefghijklmnop1234": f"Authorization: Bearer {REDACTED}",
    "basic dXNlcjpwYXNzd29yZDEyMw==": f"basic {REDACTED}",
    "postgres://ann:hunter2@db/x": f"postgres://ann:{REDACTED}@db/x",
    "redis://:hunter2@db": f"redis://:{REDACTED}@db",
    "password=hunter2, user=ann": f"password={REDACTED}, user=ann",
    '{"api_key": "hunter2"}': f'{{"api_key": {REDACTED}}}',
    "TOKEN = 'hunter2'": f"TOKEN = {REDACTED}",
    "DB_PASSWORD=hunter2": f"DB_PASSWORD={REDACTED}",
    "PGPASSWORD=hunter2 psql": f"PGPASSWORD={REDACTED} psql",
    "AWS_SECRET_ACCESS_KEY=hunter2": f"AWS_SECRET_ACCESS_KEY={REDACTED}",
    "AccountKey=hunter2==;Endpoint=x": f"AccountKey={REDACTED};Endpoint=x",
    "GET /v1?access_token=hunter2&page=2": f"GET /v1?access_token={REDACTED}&page=2",
    "X-Api-Key: hunter2": f"X-Api-Key: {REDACTED}",
    "--hf-token=hunter2": f"--hf-token={REDACTED}",
    "refreshToken: hunter2": f"refreshToken: {REDACTED}",
    '{"client_secret": "hunter2 hunter2", "a": 1}': f'{{"client_secret": {REDACTED}, "a": 1}}',
    '{\\"client_secret\\": \\"hunter2 hunter2\\"}': f'{{\\"client_secret\\": {REDACTED}}}',
    "my_password='hunter2": f"my_password={REDACTED}",
    "sas_token=0123456789012345": f"sas_token={REDACTED}",
    "İ DB_PASSWORD=hunter2": f"İ DB_PASSWORD={REDACTED}",
    "a\n-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nb": f"a\n{REDACTED}\nb",
    "-----BEGIN PRIVATE KEY-----\ncut off": REDACTED,
    "Authorization: Token 9944b09199c62bcf": f"Authorization: Token {REDACTED}",
    '{"authorization": "9944b09199c62bcf"}': f'{{"authorization": "{REDACTED}"}}',
    "Cookie: session=abc; theme=dark\nAccept: */*": f"Cookie: {REDACTED}\nAccept: */*",
    "https://x/c?sv=1&sig=abc%3D&se=2": f"https://x/c?sv=1&sig={REDACTED}&se=2",
    "run --hf-token abc --lr 0.1": f"run --hf-token {REDACTED} --lr 0.1",
    "Server=x;UID=sa;PWD=abc;": f"Server=x;UID=sa;PWD={REDACTED};",
    "curl -u ann:abc https://x": f"curl -u ann:{REDACTED} https://x",
    "curl -u ann:-----BEGIN PRIVATE KEY-----\nabc": f"curl -u ann:{REDACTED}",
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.items())
def test_what_looks_like_a_credential(text, expected):
    assert redact_text(text) == expected
    assert redact_values({"a": [text, 1]}) == {"a": [expected, 1]}


@pytest.mark.parametrize(
    "text",
    [
        "epoch 3: loss=0.5",
        "https://example.com:8080/path@v1",
        "the token is missing",
        "Basic training",
        "sk-learn",
        "task-0123456789abcdef0123456789abcdef",
        "max_tokens=512",
        "tokens: 15",
        "tokens: 15 of 2048, max_tokens=100",
        "token_count: 5",
        "num_token=15",
        "ms_per_token: 12.5",
        "pad_token='[PAD]', eos_token: </s>",
        "password reset: done",
        "secretary: Bob",
        "tokenizer: bert",
        "primary_key: 5",
        "cache_key=abc",
        "PWD=/home/ann",
        "ann@example.com",
        "bearer of news",
    ],
)
def test_what_does_not(text):
    assert redact_text(text) is text


def test_of_every_kind_of_secret_only_what_nothing_tells_is_missed():
    """Known forms are found anywhere, the others behind their names: see docs/secrets.md."""
    made = list(lines())
    assert len(kinds()) >= 30
    assert len(made) >= 300
    missed = [line for line in made if hidden_part(line.kind) in redact_text(line.text)]
    assert {line.where for line in missed} == {"sentence", "list", "alone"}
    assert {line.kind.what for line in missed} == {
        "AWS secret access key",
        "AWS session token",
        "Azure storage key",
        "Weights & Biases key",
        "MLflow password",
        "database password",
        "client secret",
        "API key of a service",
        "access token of a service",
    }


def test_no_line_without_a_secret_is_changed():
    made = list(harmless())
    assert len(set(made)) >= 300
    assert [text for text in made if redact_text(text) is not text] == []


@given(st.text())
def test_text_that_was_redacted_stays_as_it_is(text):
    once = redact_text(text)
    assert redact_text(once) == once


@pytest.mark.parametrize(
    "part",
    [
        "://a:",
        "eyJ-",
        "token=",
        "-----BEGIN ",
        "Bearer ",
        "password:'",
        'api_key="',
        "token=1 ",
        "_token",
        "sk-",
        "AKIA",
        "--a",
        "--token ",
        "-u a:",
        "login a password",
        "Cookie: a=",
        "Authorization: a ",
        "?sig=",
        "?a",
        "SG.aaaaaaaaaaaaaaaa.",
    ],
)
def test_no_text_takes_long(part):
    """A text has at most 16 Ki characters: a search that runs away takes minutes for these, not a second."""
    text = part * (16_384 // len(part))
    begin = time.process_time()
    redact_text(text)
    assert time.process_time() - begin < 5


def test_a_text_without_a_mark_is_not_searched(monkeypatch):
    """What most messages cost: a look for marks, and neither pattern (docs/adr/0004)."""
    monkeypatch.setattr("synapse_otel.redaction._TEXT", None)
    monkeypatch.setattr("synapse_otel.redaction._NAMED_LOW", None)
    text = "epoch 3 of 10 is done after 15 tokens"
    assert redact_text(text) is text


# --- on the whole way ------------------------------------------------------------------------------------


def bytes_of(job):
    return b"".join(path.read_bytes() for folder in run_folders(job.folder) for path in folder.glob("*.segment"))


def test_no_secret_is_in_the_journal(monkeypatch):
    monkeypatch.setenv("SYNAPSE_OTEL_REDACT_KEYS", "pin")
    with recorded_job(params={"db": {"password": "hunter2"}, "users": [{"secret": "hunter2"}]}) as job:
        ctx = job.ctx
        ctx.log("login", {"password": "hunter2", "deep": {"er": {"api_key": "hunter2"}}})
        ctx.log("list", {"users": [{"passphrase": "hunter2", "name": "ann"}, [{"private_key": "hunter2"}]]})
        ctx.log_dev_event("debug", {"headers": {"Authorization": "hunter2"}})
        ctx.set_metrics({"token": "hunter2"}, "text")
        scope = job.job.root.begin_step("s", order=1, weight=1)
        scope.end(products={"params": {"token": "hunter2"}, "results": [{"secret": "hunter2"}]})
        raw = bytes_of(job)
    assert b"ann" in raw
    assert b"hunter2" not in raw


def test_words_of_a_users_own_hide_in_the_journal_of_a_process(tmp_path):
    from tests.test_host_providers import HEAD, python

    script = """
import synapse_otel
from synapse_otel.loggers import NoOpLogger
synapse_otel.configure(shipper="off", redact_keys=["pin"])
secret = "hunter" + str(2)  # the command line is part of the resource
with synapse_otel.job("train", plugin="yolo", logger=NoOpLogger()) as ctx:
    ctx.log("login", {"pin": secret, "users": [{"user_pin": secret, "name": "ann"}]})
"""
    python(HEAD + script, tmp_path)
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*.segment"))
    assert b"ann" in raw
    assert b"hunter2" not in raw


def test_a_credential_in_a_text_never_leaves_the_machine():
    from tests.mapping.recorded import exported

    with recorded_job(fixed=True) as job:
        job.ctx.log_message("connect to postgres://ann:hunter2@db")
        job.ctx.log("e", {"list": ["token=hunter2"], "nested": {"url": "redis://:hunter2@db"}})
        job.end(RuntimeError("password=hunter2"))
        job.close()
        (folder,) = run_folders(job.folder)
        sent = json.dumps(exported(folder))
    assert "connect to postgres" in sent
    assert "hunter2" not in sent
    assert "hunter2" not in repr(job.recording)


def test_no_secret_is_in_what_other_instrumentations_tell(tmp_path):
    from tests.sink import Sink
    from tests.test_host_providers import HEAD, python

    script = """
import synapse_otel
with synapse_otel.job("train", plugin="yolo") as ctx:
    url = "https://ann:hunter2@host/x"
    counter = metrics.get_meter("theirs").create_counter("calls")
    counter.add(1, {"url": url, "n": 5})
    with trace.get_tracer("theirs").start_as_current_span("GET " + url) as span:
        span.add_event("to " + url, {"url": url})
    ctx.set_metrics({"loss": 1.0}, url)
"""
    with Sink() as sink:
        python(HEAD + script, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, SYNAPSE_OTEL_SHIPPER="thread")
        sent = b"".join(request.message.SerializeToString() for request in list(sink.requests))
        assert sink.last("calls")
    assert b"https://ann:[redacted]@host/x" in sent
    assert b"hunter2" not in sent
