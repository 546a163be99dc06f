"""Generic building blocks: Schwab, Redis, InfluxDB, Grafana, exchanges; no trading system."""
