"""The signal pipelines of a journal: logs, traces, metrics, each from its frames to accepted requests."""
