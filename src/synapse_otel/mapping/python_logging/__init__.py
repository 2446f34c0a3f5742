"""Records of Python's logging as log records of the job."""
