"""What an action of the SDK is called: its own name, that of its plugin, and the plugin's version."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from synapse_otel._guard import guarded

_CONFIG: Final = "config.yaml"
_SEARCHED: Final = 4
_TRIAL: Final = "SYNAPSE_TRIAL_ID"
_RELEASE: Final = "SYNAPSE_PLUGIN_RELEASE_CODE"


@dataclass(frozen=True)
class Identity:
    """An action of a plugin."""

    action: str
    plugin: str
    version: str | None
    category: str | None


def identify(action: type | str, env: Any = None, folder: Any = None) -> Identity:
    """Return what an action is called, from the plugin's ``config.yaml`` where there is one.

    Args:
        action: its class, or where that stands (``package.module.Class``), as the SDK's executors name it.
        env: environment of the plugin's context; the platform names the release in it.
        folder: of the plugin, where its module has not been imported.
    """
    where = action if isinstance(action, str) else f"{action.__module__}.{action.__qualname__}"
    config = _config_of(where, folder)
    code, _, release = _release(env).partition("@")
    name = None if isinstance(action, str) else getattr(action, "action_name", None)
    category = None if isinstance(action, str) else getattr(action, "category", None)
    module, _, own_name = where.replace(":", ".").rpartition(".")
    package = module.partition(".")[0]
    return Identity(
        action=_text(name) or _configured_action(config, where) or own_name,
        plugin=_text(config.get("code")) or code or (package if package not in {"", "__main__"} else own_name),
        version=_text(config.get("version")) or release or None,
        category=_text(getattr(category, "value", category)) or _text(config.get("category")),
    )


def trial_of_this_process() -> str | None:
    """Return the id of the trial that this process runs in a search for hyperparameters; None outside of one."""
    return os.environ.get(_TRIAL, "").strip() or None


def _text(value: Any) -> str | None:
    return str(value).strip() or None if value is not None else None


def _release(env: Any) -> str:
    get = getattr(env, "get_str", None)
    found = get(_RELEASE) if get is not None else None
    return str(found or os.environ.get(_RELEASE, ""))


def _configured_action(config: Mapping[str, Any], where: str) -> str | None:
    actions = config.get("actions")
    for name, action in actions.items() if isinstance(actions, Mapping) else ():
        entrypoint = action.get("entrypoint") if isinstance(action, Mapping) else None
        if str(entrypoint).replace(":", ".") == where.replace(":", "."):
            return str(name)
    return None


def _config_of(where: str, folder: Any) -> Mapping[str, Any]:
    for path in _candidates(where, folder):
        found = guarded(_read, path, otherwise=lambda _error: {})  # no file, no YAML, no parser
        if found:
            return found
    return {}


def _candidates(where: str, folder: Any) -> Iterator[Path]:
    """Yield where a plugin's configuration may stand: above its module, and where the job was started."""
    if folder is not None:
        yield Path(folder) / _CONFIG
    module = where.replace(":", ".")
    while module:
        module = module.rpartition(".")[0]
        file = getattr(sys.modules.get(module), "__file__", None)
        if file:
            yield from (folder / _CONFIG for folder in list(Path(file).absolute().parents)[:_SEARCHED])
            break
    yield Path.cwd() / _CONFIG


def _read(path: Path) -> Mapping[str, Any]:
    import yaml  # a package that the SDK needs

    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, Mapping) or "code" not in config:
        msg = f"{path} is not a plugin configuration"
        raise TypeError(msg)
    return config
