"""The domain of market data: timeframes, sessions, provenance, bars and splits."""
