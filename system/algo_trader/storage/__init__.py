"""Where data rest: the declared tables, the archive (the truth), its projection into InfluxDB."""
