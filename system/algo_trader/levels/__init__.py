"""Reference levels of a trading day: pivots of the session before, and the day's VWAP."""
