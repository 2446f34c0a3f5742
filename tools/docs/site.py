"""The site: MkDocs with Material, strict, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.docs.blocks import ROOT

SITE: Final = ROOT / "site"
HOST: Final = "127.0.0.1"
PORTS: Final = range(8000, 8100)
_QUIET: Final = {"NO_MKDOCS_2_WARNING": "1"}
"""Material's notice about a later MkDocs, which is no matter of this site."""


def build_site(to: Path = SITE) -> int:
    """Build the site into a folder; return MkDocs's exit status: not 0 if anything was warned of."""
    status = _mkdocs("build", "--strict", "--site-dir", str(to))
    if status == 0:
        print(f"{to / 'index.html'} written")
    return status


def serve_site() -> int:
    """Serve the site on loopback until interrupted, and build it anew when a page changes."""
    return _mkdocs("serve", "--dev-addr", f"{HOST}:{_free_port()}")


def _free_port() -> int:
    """Return the first port at which nobody listens; MkDocs itself says only that one is taken."""
    for port in PORTS:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


def _mkdocs(*arguments: str) -> int:
    environment = {**os.environ, **_QUIET, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            [sys.executable, "-m", "mkdocs", *arguments], cwd=ROOT, env=environment, check=False
        ).returncode
    except KeyboardInterrupt:
        return 0
