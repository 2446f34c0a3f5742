"""What a plugin's author writes against: contexts, steps, loggers, at the module paths of the Synapse SDK."""
