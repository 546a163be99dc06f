"""Checks of the running system and of the machine below it."""
