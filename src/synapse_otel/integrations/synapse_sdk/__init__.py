"""The real Synapse SDK, instrumented without a change: to it, or to the plugins written for it.

One line does it, before or after the SDK is imported::

    from synapse_otel.integrations.synapse_sdk import SynapseInstrumentor

    SynapseInstrumentor().instrument()

`synapse-otel run -- COMMAND` and ``opentelemetry-instrument COMMAND`` need no line.
"""

from __future__ import annotations

from synapse_otel.integrations.synapse_sdk.instrumentor import SynapseInstrumentor

__all__ = ["SynapseInstrumentor"]
