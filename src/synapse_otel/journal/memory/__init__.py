"""Memory that is written to in place: segments' frames, and the slots of the state block; compiled where it can be."""
