"""The checks of ``synapse-otel doctor``, one file each."""
