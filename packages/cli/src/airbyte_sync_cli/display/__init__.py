"""What a person or a program sees of running syncs."""
