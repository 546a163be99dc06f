"""The four base clients: Schwab, Redis, InfluxDB, Grafana. Siblings: none imports another."""
