"""Jobs: what a command does, without its terminal."""
