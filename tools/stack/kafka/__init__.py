"""A real Kafka broker: fetched as jars with Maven, laid out, started, and asked over its own protocol."""
