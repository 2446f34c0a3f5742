"""Laying out the environments, and the check of the tree; called by the Makefile."""
