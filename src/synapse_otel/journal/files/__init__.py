"""What the journal needs of the operating system: locks, descriptors, syncing."""
