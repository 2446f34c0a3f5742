"""What a release holds beside the wheel: the pins of a container that only runs jobs, and the bill of materials."""
