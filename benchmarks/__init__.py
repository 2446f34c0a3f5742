"""What a call costs, as a ratio against the plain OpenTelemetry SDK doing the same mapping in the same run."""
