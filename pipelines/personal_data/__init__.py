"""Personal data of the region: checksums, Presidio recognisers, and scrubbing by batch."""
