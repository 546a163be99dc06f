"""Budgets and how we stand to them, measured side by side with peers in one run."""
