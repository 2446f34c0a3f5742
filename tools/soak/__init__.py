"""Kills jobs and shippers at random moments, and counts what arrives: ``python -m tools.soak``."""
