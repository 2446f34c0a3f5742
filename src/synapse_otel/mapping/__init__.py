"""What each call of the context API means in OpenTelemetry. Imports the API, never the SDK."""
