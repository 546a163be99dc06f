"""The service over Arrow Flight: histories in bulk."""
