"""Compares what a run recorded with what the backends hold, and sends again what they lack."""
