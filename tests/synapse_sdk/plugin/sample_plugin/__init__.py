"""A plugin for the published synapse-sdk, 2026.1.50 or newer."""
