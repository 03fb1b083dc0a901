"""What a trace records, one class for each kind of quantity."""
