"""The transports of this package, one per HTTP library. Importing one imports its library."""
