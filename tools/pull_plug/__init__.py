"""Pulls the plug on each part between a job and a backend, under load, and counts what arrives."""
