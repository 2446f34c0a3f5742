"""Resource usage of jobs: sampled by the shipper, kept next to the journal, sent as metrics."""
