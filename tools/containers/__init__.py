"""A Docker engine of the tests' own, the images of the compose files, and what runs in them."""
