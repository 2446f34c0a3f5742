"""What meets synapse-otel from outside: the real Synapse SDK, Ray, callbacks of training libraries."""
