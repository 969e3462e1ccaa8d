"""Lineage events."""
