"""``synapse-otel view``: the runs in a browser."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import quote

from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import journal_roots
from synapse_otel.journal.folder import is_run, run_folders
from synapse_otel.recording import find_run
from synapse_otel.settings import Settings, load_settings

FIRST_PORT: Final = 4319
_TRIES: Final = 20
_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128


def view(target: str | None, *, port: int | None, browser: bool) -> int:
    """Serve the page until it is interrupted, and return the exit code.

    Args:
        target: a run, as `find_run` takes it; a folder of a run or of runs; None: all runs.
        port: where to listen; None: at the first free one from `FIRST_PORT` on.
        browser: whether to open a browser.

    Raises:
        OSError: the port is in use, or may not be used.
        LookupError: there is no such run, or the folder is not ours.
        SettingsError: a setting is wrong.
    """
    from synapse_otel.view.library import Library
    from synapse_otel.view.server import application, page
    from synapse_otel.view.shelf import Shelf

    if target is not None and (file := Path(target)).is_file():
        return _open_file(file, browser=browser)
    try:
        page("index.html")
    except FileNotFoundError:
        raise LookupError("this installation lacks the page: it was built without Node (see CONTRIBUTING.md)") from None
    settings = load_settings()
    roots, folders, run = _target(target, settings)
    library = Library(Shelf(roots, folders, stall_seconds=settings.stall_timeout), jaeger_url=settings.jaeger_url)
    token = secrets.token_urlsafe(24)
    with _listening(port) as listener:
        number = listener.getsockname()[1]
        address = f"http://{_HOST}:{number}/?token={token}" + (f"&run={quote(run)}" if run else "")
        say(f"The page is at  {address}")
        say("Ctrl-C ends it; jobs go on.")
        sys.stdout.flush()
        if browser:
            Thread(target=_open_browser, args=(address,), daemon=True).start()
        _serve(application(library, token), listener)
    return 0


def _target(target: str | None, settings: Settings) -> tuple[list[Path], list[Path], str]:
    """Return the folders of journals, further folders of runs, and the id of the run to begin with."""
    from synapse_otel.view.rows import run_id

    roots = journal_roots(settings)
    if target is None:
        return roots, [], ""
    folder = Path(target)
    if folder.is_dir() and not is_run(folder):
        if next(run_folders(folder), None) is None:
            raise LookupError(f"{target} is neither the folder of a run nor a folder of runs")
        return [folder.absolute()], [], ""
    if folder.is_dir() and folder.absolute().parent not in roots:
        return [], [folder.absolute()], run_id(folder.absolute())
    return roots, [], run_id(find_run(target, roots))


def _open_file(file: Path, *, browser: bool) -> int:
    """Show a file that ``synapse-otel export`` has written: it is a page by itself."""
    from synapse_otel.view.page_file import is_page_file

    with file.open(encoding="utf-8", errors="replace") as opened:
        if not is_page_file(opened.read(2_000)):
            raise LookupError(f"{file} is no page that `synapse-otel export` has written, nor the folder of runs")
    say(f"The page is at  {file.absolute().as_uri()}")
    if browser:
        _open_browser(file.absolute().as_uri())
    return 0


def _listening(port: int | None) -> socket.socket:
    """Return a socket that listens on this machine alone."""
    tries = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + _TRIES), 0]
    for number in tries:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, number))
            listener.listen(_BACKLOG)  # before the address is told: whoever follows it at once waits, and is answered
        except OSError as error:
            listener.close()
            if number == tries[-1]:
                raise OSError(error.errno, f"port {number}: {error.strerror}; choose another one with --port") from None
            continue
        return listener
    raise AssertionError  # the last try returns or raises


def _serve(app: object, listener: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]  # Starlette's types and uvicorn's are not the same
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=0,
        ws="none",
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def _open_browser(address: str) -> None:
    is_graphical = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    # Elsewhere a browser of the terminal would take it over; `BROWSER` is the user's own word.
    if not (is_graphical or os.environ.get("BROWSER")) or not webbrowser.open(address):
        tell("no browser could be opened here: open the address yourself (over ssh: ssh -L PORT:127.0.0.1:PORT HOST)")
