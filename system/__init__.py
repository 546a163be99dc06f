"""The systems that stand on the infrastructure."""
