"""OTLP: records as bytes, bytes over HTTP or gRPC, and what the answers mean. It knows nothing of journals' folders."""
