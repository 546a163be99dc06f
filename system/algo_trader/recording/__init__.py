"""Keep what Schwab's streamer sends, redacted, in files that the simulator replays."""
