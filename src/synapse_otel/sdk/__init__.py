"""Providers behind the OpenTelemetry API that write to the journal. The only room that imports the SDK."""
