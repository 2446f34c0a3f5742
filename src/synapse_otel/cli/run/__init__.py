"""``synapse-otel run``."""
