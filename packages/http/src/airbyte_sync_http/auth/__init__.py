"""Credentials, tokens, and what keeps them out of texts."""
