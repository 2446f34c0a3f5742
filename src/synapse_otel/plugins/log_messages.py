"""Messages with a code: their level and their text in each language, and how any message becomes text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, StrEnum
from typing import Any, Final, NamedTuple

from synapse_otel.plugins.models.logger import LogLevel

__all__ = [
    "CommonLogMessageCode",
    "LogMessageCode",
    "MessageText",
    "message_text",
    "register_log_messages",
    "resolve_log_message",
]

DEFAULT_LANGUAGE: Final = "en"


class LogMessageCode(StrEnum):
    """Base of enums of message codes; a member is ``NAME = ("CODE", LogLevel.WARNING)``, info if not said."""

    _level: LogLevel

    def __new__(cls, value: str, level: LogLevel | str = LogLevel.INFO) -> LogMessageCode:  # noqa: PYI034
        """Make a member that knows its level."""
        member = str.__new__(cls, value)
        member._value_ = value
        member._level = LogLevel(level)  # noqa: SLF001 - its own member
        return member

    @property
    def level(self) -> LogLevel:
        """How messages of this code are meant."""
        return self._level


class CommonLogMessageCode(LogMessageCode):
    """Codes of messages that every plugin may send."""

    PLUGIN_RUN_COMPLETE = ("PLUGIN_RUN_COMPLETE", LogLevel.INFO)


_templates: dict[str, dict[str, str]] = {
    CommonLogMessageCode.PLUGIN_RUN_COMPLETE.value: {
        "en": "The plugin has run to its end.",
        "ko": "플러그인이 끝까지 실행되었습니다.",
    },
}


class MessageText(NamedTuple):
    """A message as the user reads it.

    Attributes:
        text: in the user's language, with its arguments filled in.
        code: its code, if it has one.
        level: the level that its code says, if it says one.
    """

    text: Any
    code: str | None = None
    level: LogLevel | None = None


def register_log_messages(templates: Mapping[Any, str | Mapping[str, str]]) -> None:
    """Set the texts of codes: one in English, or a mapping of language to text, with ``{name}`` for arguments.

    Raises:
        TypeError: a text is neither; nothing has been set then.
    """
    checked: dict[str, dict[str, str]] = {}
    for code, template in templates.items():
        texts: Any = {DEFAULT_LANGUAGE: template} if isinstance(template, str) else template
        if not isinstance(texts, Mapping) or not all(isinstance(text, str) for text in texts.values()):
            msg = f"the text of {_code(code)} must be text, or a mapping of language to text, not {template!r}"
            raise TypeError(msg)
        checked[_code(code)] = dict(texts)
    for key, texts in checked.items():
        _templates.setdefault(key, {}).update(texts)


def resolve_log_message(code: Any, language: str | None = None, **arguments: Any) -> tuple[str, LogLevel]:
    """Return text and level of a code; a code without a registered text stands for itself.

    Raises:
        ValueError: its text needs an argument that is not given.
    """
    template = _in_language(_templates.get(_code(code), {}), language or DEFAULT_LANGUAGE)
    text = _code(code) if template is None else _filled(template.format, template, arguments)
    return text, LogLevel(getattr(code, "level", LogLevel.INFO))


def message_text(message: Any, language: Callable[[], str], arguments: Mapping[str, Any]) -> MessageText:
    """Return what the user reads of a message.

    Args:
        message: text; an enum member that is a code; a mapping of language to template; or an object with a method
            ``format(language, fallback_language, **arguments)``.
        language: gives the user's language, if it is needed.
        arguments: for the ``{name}`` in the template.

    Raises:
        ValueError: the template needs an argument that is not given.
    """
    if isinstance(message, Enum):
        text, level = resolve_log_message(message, language(), **arguments)
        return MessageText(text, _code(message), level if hasattr(message, "level") else None)
    if isinstance(message, str):
        return MessageText(_filled(message.format, message, arguments) if arguments else message)
    if isinstance(message, Mapping):
        template = _in_language(message, language())
        if template is None:
            msg = f"message must have a text in at least one language, got {message!r}"
            raise ValueError(msg)
        return MessageText(_filled(template.format, template, arguments) if arguments else template)
    form = getattr(message, "format", None)
    if not callable(form):
        return MessageText(message)
    return MessageText(
        _filled(lambda **given: form(language(), DEFAULT_LANGUAGE, **given), repr(message), arguments),
    )


def _in_language(texts: Mapping[str, str], language: str) -> str | None:
    return texts.get(language) or texts.get(DEFAULT_LANGUAGE) or next((text for text in texts.values() if text), None)


def _filled(form: Callable[..., str], template: str, arguments: Mapping[str, Any]) -> str:
    try:
        return form(**arguments)
    except (KeyError, IndexError) as error:
        msg = f"message {template!r} needs the argument {error}, got {sorted(arguments)}"
        raise ValueError(msg) from error


def _code(code: Any) -> str:
    return str(code.value if isinstance(code, Enum) else code)
