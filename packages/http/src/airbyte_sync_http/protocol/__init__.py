"""What Airbyte's API says: requests, replies, and the errors they mean."""
