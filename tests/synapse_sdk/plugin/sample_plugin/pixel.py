"""A picture to attach: one pixel."""

import base64
from pathlib import Path

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def picture(name: str) -> str:
    """Write the picture into the working folder and return its name."""
    Path(name).write_bytes(base64.b64decode(_PNG))
    return name
