"""A run as a file to keep or to send: HTML, OTLP in JSON, CSV, Parquet."""
