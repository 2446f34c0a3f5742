"""The real servers that tests and `make stack` talk to: built from Go modules, started on loopback, read back."""
