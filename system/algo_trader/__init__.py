"""The algorithmic-trading system."""
