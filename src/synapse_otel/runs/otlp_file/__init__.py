"""A file of OTLP in JSON, read back as a run."""
