"""From the journal to OTLP: reads, encodes, sends, recovers. The only room that opens sockets."""
