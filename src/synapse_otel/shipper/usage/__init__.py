"""What jobs use: sampled by the shipper, kept beside the journal, told as metrics."""
