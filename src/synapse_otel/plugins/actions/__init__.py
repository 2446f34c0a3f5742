"""The kinds of jobs: for each, what its steps share and the usual names of its phases."""
