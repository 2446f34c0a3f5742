"""Queries to the backends: the log store, Prometheus, Jaeger."""
