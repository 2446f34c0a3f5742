"""Runs that are followed while they grow, for the page and the terminal."""
