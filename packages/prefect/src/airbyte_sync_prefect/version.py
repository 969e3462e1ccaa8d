"""The version of this package: that of all packages of the repository."""

__version__ = "0.1.0"
