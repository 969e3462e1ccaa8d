"""The rules and the state of an Airbyte platform."""
