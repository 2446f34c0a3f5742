"""A job in other processes: propagation to them, and recording there."""
