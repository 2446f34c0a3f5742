"""Records of a journal as OTLP messages, written without protobuf's own objects."""
