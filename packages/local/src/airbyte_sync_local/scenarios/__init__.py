"""What a user prepares: connections, job scripts, faults."""
