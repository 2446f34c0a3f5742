"""A job in other processes: what travels to them, and what is recorded there."""
