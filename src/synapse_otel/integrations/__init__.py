"""Where synapse-otel meets other libraries. Nothing here loads one that the host has not loaded."""
