"""Load through the real agent and gateway: ``python -m benchmarks.collector``."""
