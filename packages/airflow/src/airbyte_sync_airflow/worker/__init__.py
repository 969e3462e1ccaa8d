"""What happens in a worker's process."""
