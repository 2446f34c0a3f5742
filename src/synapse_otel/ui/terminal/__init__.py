"""The same as the page, in a terminal: for a shell over ssh. It reads what the page reads, and draws with Textual."""

from __future__ import annotations
