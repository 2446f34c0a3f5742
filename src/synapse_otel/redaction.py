"""Secrets: which keys hold them, and what looks like one in a text.

Keys are judged in the job's process, before the journal, and remembered. Texts are searched by the shipper,
before anything leaves the machine: the search costs more than a whole `log` call (docs/adr/0004).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

REDACTED: Final = "[redacted]"
SECRET_WORDS: Final = frozenset(
    {
        "password", "passwd", "passphrase", "pwd", "secret", "token", "authorization", "credential", "credentials",
        "apikey", "cookie", "bearer",
    }
)  # fmt: skip
"""A key is secret if one of its words is one of these: ``hf_token`` and ``dbPassword`` are, ``max_tokens`` is not."""
SECRET_PAIRS: Final = frozenset(
    {("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("signing", "key"), ("account", "key")}
)
"""... or if two neighbouring words are one of these."""
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_HEADER = r"uthorization\\*[\"']?\s*[=:]\s*\\*[\"']?(?:[A-Za-z]+\s+)?()(?=[^\s\"',;\\]*\d)[^\s\"',;\\]{12,}"
_COOKIE = r"ookie\\*[\"']?\s*[=:]\s*\\*[\"']?()[\w.-]+=[^\r\n\"'\\]+"
_SCHEME = r"\s+()[\w.~+/=-]{16,}"
_SIGNATURE = r"[\w-]{0,40}[Ss]ig(?:nature)?=()[^&\s\"']+"
_TEXT: Final = re.compile(
    "|".join(
        (
            # Each begins with a letter of its own: a search then passes over all other places of a text at once. What
            # stands before an empty group stays.
            r"A(?:KIA|SIA)[0-9A-Z]{16}",
            r"AIza[\w-]{30,}",
            rf"A{_HEADER}",
            rf"a{_HEADER}",
            rf"B(?<!\wB)(?:earer|asic){_SCHEME}",
            rf"b(?<!\wb)(?:earer|asic){_SCHEME}",
            rf"C{_COOKIE}",
            rf"c{_COOKIE}",
            r"SG\.[\w-]{16,}\.[\w-]{16,}",
            r"dapi[0-9a-f]{32}",
            r"dckr_pat_[\w-]{20,}",
            r"do[opr]_v1_[0-9a-f]{40,}",
            r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
            r"gh[pousr]_\w{20,}",
            r"github_pat_\w{20,}",
            r"glpat-[\w-]{20,}",
            r"hf_[A-Za-z]{20,}",
            r"hooks\.slack\.com/services/()[\w/]+",
            r"hvs\.[\w-]{20,}",
            r"login\s+\S+\s+password\s+()(?!-----)\S+",
            r"npm_\w{30,}",
            r"pypi-[\w-]{50,}",
            r"rk_(?:live|test)_\w{16,}",
            r"sk(?<![A-Za-z0-9]sk)-[\w-]{20,}",
            r"sk_(?:live|test)_\w{16,}",
            r"xapp-[\w-]{10,}",
            r"xox[abeprs]-[\w-]{10,}",
            r"ya29\.[\w-]{20,}",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            r"-u\s+[^\s:]+:()(?!\d+(?:\s|\Z)|-----)\S+",
            r"://[^/\s:@]*:()[^/\s@]+(?=@)",
            rf"\?{_SIGNATURE}",
            rf"&{_SIGNATURE}",
        )
    ),
    re.DOTALL,
)
_IS = r"\\*[\"']?\s*[=:]\s*"
# A value behind the name of a secret, whatever stands in front of that: DB_PASSWORD=, "client_secret": , --hf-token=.
# Not max_tokens=, and neither num_token=15 nor the tokens of a tokenizer, as eos_token=.
_WORD = r"pass(?:word|wd|phrase)|secret|(?:api|access|account|private|secret|signing)[_.-]?key"
_TOKEN = r"(?<!bos_)(?<!cls_)(?<!eos_)(?<!mask_)(?<!pad_)(?<!sep_)(?<!unk_)token"  # noqa: S105 - a pattern
_NAMED_SOURCE: Final = (
    rf"((?:{_WORD}|;pwd|\btoken|{_TOKEN}(?!{_IS}\d{{1,9}}(?:\.\d+)?(?![\w.-]))){_IS})"
    r"(?:\\*\"[^\"]*\"|\\*'[^']*'|\\*[\"']?[^\s\"',;&]+)"
)
_NAMED: Final = re.compile(_NAMED_SOURCE, re.IGNORECASE)
_NAMED_LOW: Final = re.compile(_NAMED_SOURCE)
"""Finds the same in a text in small letters, in a third of the time."""
_OPTION: Final = re.compile(rf"(--[\w.-]{{0,40}}(?:{_WORD}|{_TOKEN})\s+)(?!-)\S+", re.IGNORECASE)
"""Finds a value behind an option of a command line."""
_NAMES: Final = ("token", "secret", "pass", "key", ";pwd")
_KEYS_KEPT: Final = 10_000
DEEPEST: Final = 16
"""Lists and mappings nested deeper are left out: OTLP has them as text from there on, which would tell secrets."""
TOO_DEEP: Final = "<nested too deep>"
_COLLECTIONS: Final = frozenset({dict, list, tuple})


def is_secret_key(key: str, extra: frozenset[str] = frozenset()) -> bool:
    """Return whether a key names a secret, by its last parts' words: ``synapse.data.api_key`` does."""
    words = [word.lower() for word in _WORDS.findall(key)]
    if not SECRET_WORDS.isdisjoint(words) or (extra and not extra.isdisjoint([*words, key.lower()])):
        return True
    return any(pair in SECRET_PAIRS for pair in pairwise(words))


def redact_text(text: str) -> str:
    """Return a text without what looks like a credential in it."""
    # Every pattern has one of these marks in it, and looking for them costs a tenth of trying the patterns.
    separated = ":" in text or "=" in text
    if not (
        separated
        or "-" in text
        or "_" in text
        or "earer" in text
        or "asic" in text
        or "eyJ" in text
        or "AKIA" in text
        or "ASIA" in text
        or "AIza" in text
        or "SG." in text
        or "dapi" in text
        or "hooks." in text
        or "hvs." in text
        or "login" in text
        or "ya29" in text
    ):
        return text
    if _TEXT.search(text):
        text = _TEXT.sub(_replace, text)
    if separated or "--" in text:
        low = text.lower()
        if any(name in low for name in _NAMES):
            if separated and _NAMED_LOW.search(low):
                text = _NAMED.sub(rf"\1{REDACTED}", text)
            if "--" in text:
                text = _OPTION.sub(rf"\1{REDACTED}", text)
    return text


def redact_arguments(arguments: Iterable[str]) -> list[str]:
    """Return a command line without secrets: neither ``--token=x`` nor ``--token x`` says what x was."""
    redacted: list[str] = []
    secret = False
    for argument in arguments:
        name, separator, _value = argument.partition("=")
        if secret and not argument.startswith("-"):
            redacted.append(REDACTED)
            secret = False
        elif argument.startswith("-") and is_secret_key(name):
            redacted.append(f"{name}={REDACTED}" if separator else argument)
            secret = not separator
        else:
            redacted.append(redact_text(argument))
            secret = False
    return redacted


def _replace(match: re.Match[str]) -> str:
    kept = match.end(match.lastindex) - match.start() if match.lastindex else 0
    return match[0][:kept] + REDACTED


class KeyRedaction:
    """Takes the values of secret keys out of attributes. Numbers and booleans stay: ``token_count`` is no secret."""

    def __init__(self, extra_words: Iterable[str] = ()) -> None:
        self._extra = frozenset(word.lower() for word in extra_words)
        self.plain: set[str] = set()
        """Keys that were judged to hold no secrets."""

    def extend(self, words: Iterable[str]) -> None:
        """Take up further words that make a key secret."""
        self._extra |= {word.lower() for word in words}
        self.plain.clear()

    def __call__(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the attributes, themselves if nothing in them is secret."""
        if self.plain.issuperset(attributes) and _COLLECTIONS.isdisjoint(map(type, attributes.values())):
            return attributes
        return {key: self._value(key, value) for key, value in attributes.items()}

    def judge(self, key: str) -> bool:
        """Return whether a key holds no secrets, and remember one that holds none."""
        if is_secret_key(key, self._extra):
            return False
        if len(self.plain) < _KEYS_KEPT:
            self.plain.add(key)
        return True

    def _value(self, key: Any, value: Any, depth: int = DEEPEST) -> Any:
        if key not in self.plain:
            if not isinstance(key, str):
                key = str(key)
            if not self.judge(key):
                return value if isinstance(value, bool | int | float) or value is None else REDACTED
        return self.nested(value, depth)

    def nested(self, value: Any, depth: int = DEEPEST) -> Any:
        """Return a value without the secrets of the mappings in it, and without what is nested too deep."""
        if isinstance(value, Mapping):
            return {key: self._value(key, item, depth - 1) for key, item in value.items()} if depth else TOO_DEEP
        if isinstance(value, list | tuple):
            return [self.nested(item, depth - 1) for item in value] if depth else TOO_DEEP
        return value


_shared: Final = KeyRedaction()


def hide_also(words: Iterable[str]) -> None:
    """Let `redact_nested` know further words that make a key secret."""
    _shared.extend(words)


def redact_nested(value: Any) -> Any:
    """Return a value without the secrets of the mappings in it, before it becomes one text."""
    return _shared.nested(value)


def redact_values(value: Any) -> Any:
    """Return a value, or a collection of values, without what looks like a credential in its texts."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: redact_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_values(item) for item in value]
    return value
