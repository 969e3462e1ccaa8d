"""What users set: connections, arguments, options."""
