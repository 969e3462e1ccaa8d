"""What happens in a triggerer's process."""
