"""The live pipeline: from a feed's events to Redis, bars, the archive and InfluxDB."""
