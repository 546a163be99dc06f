"""A stand-in Grafana for tests: our reading of its API, macros and Arrow rules; not Grafana."""
