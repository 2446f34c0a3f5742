"""The local page: runs served from their journals to a browser on the same machine, or written into one file."""

from __future__ import annotations
