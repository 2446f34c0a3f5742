"""Lines of logs with secrets of many kinds in them, and lines that hold none: what redaction is measured on.

The secrets are made up: random letters in the form that each issuer documents. Most forms are those that public
scanners of repositories look for.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterator
from typing import Final, NamedTuple

_HEX: Final = "0123456789abcdef"
_UPPER: Final = string.ascii_uppercase + string.digits
_ALL: Final = string.ascii_letters + string.digits
_random: Final = random.Random(29)  # noqa: S311 - secrets that guard nothing


def _of(letters: str, count: int) -> str:
    return "".join(_random.choice(letters) for _ in range(count))


def _base64(count: int) -> str:
    return base64.b64encode(_random.randbytes(count)).decode()


class Kind(NamedTuple):
    """A kind of secret."""

    what: str
    name: str
    """The variable that it usually stands in."""
    secret: str


def kinds() -> list[Kind]:
    """Return 36 kinds, each with a new secret."""
    parts = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"HS256"}', b'{"sub":"12345"}'))
    jwt = ".".join((*parts, _of(_ALL, 43)))
    pem = "\\n".join(("-----BEGIN RSA PRIVATE KEY-----", _base64(48), "-----END RSA PRIVATE KEY-----"))
    hook = f"T{_of(_UPPER, 8)}/B{_of(_UPPER, 8)}/{_of(_ALL, 24)}"
    blob, amazon = "https://acc.blob.core.windows.net/c/f.csv", "https://b.s3.amazonaws.com/f"
    return [
        Kind("AWS access key id", "AWS_ACCESS_KEY_ID", f"AKIA{_of(_UPPER, 16)}"),
        Kind("AWS secret access key", "AWS_SECRET_ACCESS_KEY", _base64(30)),
        Kind("AWS session token", "AWS_SESSION_TOKEN", f"FwoGZXIvYXdzE{_base64(90)}"),
        Kind("Google API key", "GOOGLE_API_KEY", f"AIza{_of(_ALL, 35)}"),
        Kind("Google OAuth token", "GOOGLE_ACCESS_TOKEN", f"ya29.{_of(_ALL, 60)}"),
        Kind("Azure storage key", "AZURE_STORAGE_ACCOUNT_KEY", _base64(64)),
        Kind("GitHub token", "GITHUB_TOKEN", f"ghp_{_of(_ALL, 36)}"),
        Kind("GitHub fine-grained token", "GH_TOKEN", f"github_pat_{_of(_ALL, 22)}_{_of(_ALL, 59)}"),
        Kind("GitLab token", "GITLAB_TOKEN", f"glpat-{_of(_ALL, 20)}"),
        Kind("Hugging Face token", "HF_TOKEN", f"hf_{_of(string.ascii_letters, 34)}"),
        Kind("OpenAI key", "OPENAI_API_KEY", f"sk-proj-{_of(_ALL, 48)}"),
        Kind("Anthropic key", "ANTHROPIC_API_KEY", f"sk-ant-api03-{_of(_ALL, 80)}"),
        Kind("Weights & Biases key", "WANDB_API_KEY", _of(_HEX, 40)),
        Kind("Databricks token", "DATABRICKS_TOKEN", f"dapi{_of(_HEX, 32)}"),
        Kind("MLflow password", "MLFLOW_TRACKING_PASSWORD", _of(_ALL, 14)),
        Kind("Slack bot token", "SLACK_BOT_TOKEN", f"xoxb-{_of(string.digits, 12)}-{_of(_ALL, 24)}"),
        Kind("Slack app token", "SLACK_APP_TOKEN", f"xapp-1-{_of(_UPPER, 11)}-{_of(_HEX, 64)}"),
        Kind("Slack webhook", "SLACK_WEBHOOK", f"https://hooks.slack.com/services/{hook}"),
        Kind("Stripe key", "STRIPE_KEY", f"sk_live_{_of(_ALL, 24)}"),
        Kind("SendGrid key", "SENDGRID_API_KEY", f"SG.{_of(_ALL, 22)}.{_of(_ALL, 43)}"),
        Kind("npm token", "NPM_TOKEN", f"npm_{_of(_ALL, 36)}"),
        Kind("package index token", "TWINE_PASSWORD", f"pypi-AgEIcHlwaS5vcmc{_of(_ALL, 80)}"),
        Kind("Docker Hub token", "DOCKER_TOKEN", f"dckr_pat_{_of(_ALL, 27)}"),
        Kind("DigitalOcean token", "DIGITALOCEAN_TOKEN", f"dop_v1_{_of(_HEX, 64)}"),
        Kind("Vault token", "VAULT_TOKEN", f"hvs.{_of(_ALL, 90)}"),
        Kind("JSON web token", "ID_TOKEN", jwt),
        Kind("bearer token", "AUTHORIZATION", f"Bearer {_of(_ALL, 32)}"),
        Kind("basic credentials", "PROXY_AUTHORIZATION", f"Basic {_base64(21)}"),
        Kind("URL with a password", "DATABASE_URL", f"postgresql://ann:{_of(_ALL, 12)}@db.example.com/runs"),
        Kind("private key", "SSH_PRIVATE_KEY", pem),
        Kind("database password", "DB_PASSWORD", _of(_ALL, 12)),
        Kind("client secret", "CLIENT_SECRET", _of(_ALL, 40)),
        Kind("API key of a service", "SYNAPSE_API_KEY", _of(_ALL, 32)),
        Kind("access token of a service", "SYNAPSE_ACCESS_TOKEN", _of(_HEX, 40)),
        Kind("signed URL of Azure", "BLOB_URL", f"{blob}?sv=2024-11-04&sig={_of(_ALL, 43)}%3D"),
        Kind("signed URL of S3", "OBJECT_URL", f"{amazon}?X-Amz-Expires=900&X-Amz-Signature={_of(_HEX, 64)}"),
    ]  # fmt: skip


def hidden_part(kind: Kind) -> str:
    """Return the part of a secret that nobody may read: all of it, but for what is public in a header or an address."""
    secret = kind.secret
    for mark in ("sig=", "Signature=", "services/", "Bearer ", "Basic ", "://ann:"):
        if mark in secret:
            return secret.partition(mark)[2].partition("@")[0]
    return secret.split("\\n")[1] if "\\n" in secret else secret


class Line(NamedTuple):
    """A line with a secret."""

    kind: Kind
    where: str
    text: str


def lines() -> Iterator[Line]:
    """Yield the lines with a secret: each kind in each surroundings, whether or not anything there tells it."""
    for kind in kinds():
        name, secret = kind.name, kind.secret
        option = name.lower().replace("_", "-")
        camel = "".join(part.title() for part in name.split("_"))
        named = {
            "environment": f"{name}={secret}",
            "exported": f'export {name}="{secret}" && python train.py',
            "JSON": f'{{"model": "yolo", "{name.lower()}": "{secret}", "epochs": 3}}',
            "JSON in JSON": f'{{"config": "{{\\"{name.lower()}\\": \\"{secret}\\"}}"}}',
            "YAML": f"  {name.lower()}: {secret}",
            "Python": f"Config({name.lower()}='{secret}', epochs=3)",
            "camel case": f"{camel[0].lower()}{camel[1:]}: {secret}",
            "option =": f"python train.py --epochs 3 --{option}={secret} --lr 0.1",
            "option": f"python train.py --epochs 3 --{option} {secret} --lr 0.1",
            "query": f"GET /api/v1/runs?page=2&{name.lower()}={secret}",
            "header": f"X-{option.title()}: {secret}",
            "traceback": f"ValueError: bad setting {name}='{secret}' (train.py:12)",
        }
        unnamed = {
            "sentence": f"logging in with {secret} now",
            "list": f"['a', '{secret}', 3]",
            "alone": secret,
        }
        if " " not in secret:
            unnamed[".netrc"] = f"machine example.com login ann password {secret}"
            unnamed["curl -u"] = f"curl -s -u ann:{secret} https://example.com/{{a,b}}"
        for where, text in (named | unnamed).items():
            yield Line(kind, where, text)


_WORDS: Final = (
    *("epoch", "step", "batch", "loss", "accuracy", "image", "checkpoint"),
    *("dataset", "worker", "shard", "model", "layer", "gradient"),
)
_HARMLESS: Final = (
    "{word} {n} of 100: loss={x:.4f} accuracy={x:.2f}",
    "saved {word} to /data/runs/{hex}/{word}-{n}.pt",
    "GET https://example.com:8080/{word}/{n}?page={n}&size=20 -> 200",
    "commit {sha} by ann@example.com: fix {word}",
    "trace {trace} span {span} {word}",
    "s3://bucket/{word}/{sha}/part-{n:05d}.parquet",
    "tokens: {n} of 2048, max_tokens={n}, tokens_per_second={x:.1f}",
    "tokenizer: bert-base-uncased, pad_token='[PAD]', eos_token: </s>, num_token={n}",
    "primary_key={n} foreign_key: {n}, cache_key={hex}, keys=['{word}', 'key']",
    "sha256:{digest} {word}.tar.gz",
    "uuid {uuid} is the {word}",
    "python train.py --epochs {n} --{word}-size {n} --tokenizer bert --keyboard us --passes 3",
    "the token of the {word} is missing; set a password first, then the secret",
    "Basic training of the {word} begins, bearer of news {n}",
    "task-{sha} sk-learn {word} risk-free desk-{n}",
    "PWD=/home/ann/{word} HOME=/home/ann LANG=C.UTF-8 SHELL=/bin/sh",
    '{{"{word}": {n}, "metrics": {{"loss": {x:.3f}}}, "secretary": "Bob", "passenger": {n}}}',
    'File "/usr/lib/python3.11/{word}.py", line {n}, in key',
    "assignment: {word}={n}, design=v{n}, signature of {word}(x: int) -> int",
    "2026-11-29T10:00:{n:02d}Z INFO {word}: authorization is off, cookie: accepted, GPU 0: 45C",
    "arn:aws:s3:::{word}-{n} in eu-west-1, account 123456789012",
    "login as ann, password by mail; docker run -u 1000:1000 {word}, sort -u",
    "git@example.com:{word}/{word}.git -> /tmp/{hex}",
    "data:image/png;base64,iVBORw0KGgo{b64}",
    "compass={n} bypass: on, monkey: {n}, hockey={word}",
    "{word}-----{word} ---- {n} ---- https://example.com/@{word}/{n}?sigma=3&design={n}",
)  # fmt: skip


def harmless() -> Iterator[str]:
    """Yield 338 lines that hold no secret, many of which look a little as if they did."""
    for word in _WORDS:
        for form in _HARMLESS:
            yield form.format(
                word=word,
                n=_random.randrange(1, 100),
                x=_random.random(),
                hex=_of(_HEX, 12),
                sha=_of(_HEX, 40),
                trace=_of(_HEX, 32),
                span=_of(_HEX, 16),
                digest=_of(_HEX, 64),
                uuid="-".join(_of(_HEX, size) for size in (8, 4, 4, 4, 12)),
                b64=_base64(30),
            )
