"""Faults that tests must notice: a list, and what plants each in a copy of the sources."""
