"""What carries out a job: a script, or real connectors."""
