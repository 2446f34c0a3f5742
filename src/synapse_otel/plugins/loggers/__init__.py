"""Loggers: the template that records every call, and the views that show it."""
