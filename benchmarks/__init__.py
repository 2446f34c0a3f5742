"""What a call, a delivered record, an outage and an end cost, each beside what one would use instead, in one run."""
