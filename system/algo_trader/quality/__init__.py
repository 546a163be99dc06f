"""Checks of market data: pure functions from records to what may be stored and why not."""
