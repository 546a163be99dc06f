"""Compiled loops: the one way in which a function becomes machine code. Importing it is cheap."""
