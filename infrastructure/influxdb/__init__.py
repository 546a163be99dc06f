"""InfluxDB 3: table declarations, the line-protocol codec, the embedded server."""
