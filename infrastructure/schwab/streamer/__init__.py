"""Schwab's streamer: sign-in, subscriptions, merged state, gaps."""
