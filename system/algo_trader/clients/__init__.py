"""This system's clients, each extending the base client of its service."""
