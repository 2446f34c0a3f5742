"""``synapse-otel view``: the runs in a browser, or in the terminal."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from itertools import islice
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from synapse_otel.cli.codes import DONE, end_in_order
from synapse_otel.cli.lines import say, tell
from synapse_otel.cli.roots import readable_roots
from synapse_otel.export.html import HEAD, is_page_file
from synapse_otel.journal.folder import is_run, run_folders
from synapse_otel.runs import find_run
from synapse_otel.runs.live.entry import run_id
from synapse_otel.runs.live.index import RunIndex
from synapse_otel.runs.live.store import RunStore
from synapse_otel.runs.otlp_file.reader import read_otlp_file
from synapse_otel.runtime.served_page import serving
from synapse_otel.settings import Settings, load_settings

if TYPE_CHECKING:
    import uvicorn

FIRST_PORT: Final = 4319
_TRIES: Final = 20
_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128


def view(target: str | None, *, port: int | None, browser: bool, terminal: bool, idle_seconds: float | None) -> int:
    """Show runs until interrupted, and return the exit code; the arguments are as `app` has them.

    Raises:
        OSError: the port is in use, or may not be used; a file cannot be read.
        LookupError: there is no such run, the folder or file is unsuitable, or there is no terminal.
        SettingsError: a setting is wrong.
    """
    with ExitStack() as stack:
        if target is not None and (file := Path(target)).is_file():
            with file.open("rb") as opened:
                head = opened.read(HEAD)
            if is_page_file(head.decode(errors="replace")):
                return _open_page_file(file, browser=browser, terminal=terminal)
            end_in_order()
            target = str(stack.enter_context(read_otlp_file(file)))
        return _show(target, port=port, browser=browser, terminal=terminal, idle_seconds=idle_seconds)


def _show(target: str | None, *, port: int | None, browser: bool, terminal: bool, idle_seconds: float | None) -> int:
    settings = load_settings()
    roots, folders, run = _target(target, settings)
    store = RunStore(RunIndex(roots, folders, stall_seconds=settings.stall_timeout), jaeger_url=settings.jaeger_url)
    if terminal:
        check_terminal()
        end_in_order()
        with _viewers():
            from synapse_otel.ui.terminal.app import TerminalView

        TerminalView(store, run, unicode=knows_unicode()).run()
        return DONE
    root = roots[0] if roots else None
    return _serve_page(store, run, root, port=port, browser=browser, idle_seconds=idle_seconds)


def _serve_page(
    store: RunStore, run: str, root: Path | None, *, port: int | None, browser: bool, idle_seconds: float | None
) -> int:
    from synapse_otel.export.parquet import parquet_table
    from synapse_otel.ui.web.bundle import page

    with _viewers():
        import uvicorn  # noqa: F401 - the server and what it serves: both are looked for before a port is opened

        from synapse_otel.ui.web.server import application

    try:
        page("index.html")
    except FileNotFoundError:
        raise LookupError("this installation has no page: it was built without Node (see CONTRIBUTING.md)") from None
    token = secrets.token_urlsafe(24)
    with _listening(port) as listener:
        number = listener.getsockname()[1]
        home = f"http://{_HOST}:{number}/?token={token}"
        address = home + (f"&run={quote(run)}" if run else "")
        with serving(root, home) if root is not None else nullcontext():
            say(f"Page: {address}")
            say("Ctrl-C stops the page; jobs keep running.")
            sys.stdout.flush()
            if browser:
                Thread(target=_open_browser, args=(address,), daemon=True).start()
            _serve(application(store, token, write_table=parquet_table), listener, idle_seconds)
    return DONE


@contextmanager
def _viewers() -> Iterator[None]:
    """Import what only the viewers need; a container that only runs jobs may lack it.

    Raises:
        LookupError: it is not installed; the message names what is missing, and an alternative.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("synapse_otel"):
            raise
        raise LookupError(
            f"`synapse-otel view` needs {error.name}, which is not installed here: `pip install synapse-otel` installs "
            "it; `synapse-otel jobs`, `show` and `export` work without it"
        ) from None


def _target(target: str | None, settings: Settings) -> tuple[list[Path], list[Path], str]:
    """Return the folders of journals, separate folders of runs, and the id of the first run to show."""
    roots = readable_roots(settings)
    if target is None:
        return roots, [], ""
    folder = Path(target)
    if folder.is_dir() and not is_run(folder):
        found = list(islice(run_folders(folder), 2))
        if not found:
            raise LookupError(f"{target} is neither the folder of a run nor a folder of runs")
        return [folder.absolute()], [], run_id(found[0]) if len(found) == 1 else ""
    if folder.is_dir() and folder.absolute().parent not in roots:
        return [], [folder.absolute()], run_id(folder.absolute())
    return roots, [], run_id(find_run(target, roots, tell))


def _open_page_file(file: Path, *, browser: bool, terminal: bool) -> int:
    """Show a page written by ``synapse-otel export``: it needs only a browser."""
    if terminal:
        raise LookupError(f"{file} is for a browser; a terminal shows a run's folder, or an export as otlp-json")
    say(f"Page: {file.absolute().as_uri()}")
    if browser:
        _open_browser(file.absolute().as_uri())
    return DONE


def check_terminal() -> None:
    """Check that there is a terminal to draw in, and to read keys from.

    Raises:
        LookupError: there is none; the message names an alternative.
    """
    missing = [
        name
        for name, stream in (("stdin", sys.__stdin__), ("stdout", sys.__stdout__), ("stderr", sys.__stderr__))
        if stream is None or not stream.isatty()
    ]
    instead = "`synapse-otel jobs` lists the runs as text, `synapse-otel show RUN` shows one, `--json` is for programs"
    if missing:
        raise LookupError(f"--terminal needs a terminal, and {missing[0]} is none: {instead}")
    if os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}:
        raise LookupError(f"--terminal needs a terminal that can be drawn in, and TERM rules that out: {instead}")


def knows_unicode() -> bool:
    """Return whether the terminal's locale supports more than ASCII."""
    return (getattr(sys.__stdout__, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def _listening(port: int | None) -> socket.socket:
    """Return a socket that listens on this machine alone."""
    tries = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + _TRIES), 0]
    for number in tries:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, number))
            listener.listen(_BACKLOG)  # before the address is printed: an immediate request then waits, and is answered
        except OSError as error:
            listener.close()
            if number == tries[-1]:
                raise OSError(error.errno, f"port {number}: {error.strerror}; choose another one with --port") from None
            continue
        return listener
    raise AssertionError  # the last try returns or raises


def _serve(app: object, listener: socket.socket, idle_seconds: float | None) -> None:
    import anyio
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
    server = uvicorn.Server(config)

    async def run() -> None:
        async with anyio.create_task_group() as tasks:
            if idle_seconds is not None:
                tasks.start_soon(_end_when_idle, server, idle_seconds)
            await server.serve(sockets=[listener])
            tasks.cancel_scope.cancel()

    with suppress(KeyboardInterrupt):
        anyio.run(run)


async def _end_when_idle(server: uvicorn.Server, seconds: float) -> None:
    """End the server after this time without a connection; an open page keeps one for its events."""
    import anyio

    until = monotonic() + seconds
    while monotonic() < until:
        await anyio.sleep(min(seconds, 1.0))
        if server.server_state.connections:
            until = monotonic() + seconds
    server.should_exit = True


def _open_browser(address: str) -> None:
    is_graphical = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    # Elsewhere a browser of the terminal would take it over; `BROWSER` is the user's own word.
    if not (is_graphical or os.environ.get("BROWSER")) or not webbrowser.open(address):
        tell("no browser could be opened: open the address yourself (over ssh: ssh -L PORT:127.0.0.1:PORT HOST)")
