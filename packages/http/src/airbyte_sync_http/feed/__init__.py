"""One poll of a server for all jobs that wait on it."""
