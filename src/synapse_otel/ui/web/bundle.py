"""The files of the bundled page, for its server and for runs that are exported as HTML."""

from __future__ import annotations

from importlib.resources import files


def page(name: str) -> bytes:
    """Return a file of the bundled page.

    Raises:
        FileNotFoundError: the package was installed without the page.
    """
    return files("synapse_otel.ui.web").joinpath("static", name).read_bytes()
