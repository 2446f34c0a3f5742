"""One process that records: starting a job, wiring its parts, ending it, and what its children inherit."""
