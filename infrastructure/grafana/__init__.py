"""Grafana behind our client: its HTTP API, its containers under compose, and a dashboard linter."""
