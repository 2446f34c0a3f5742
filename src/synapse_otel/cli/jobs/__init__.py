"""``synapse-otel jobs``."""
