"""Files of what came over a wire: append-safe, compressed, readable with `zcat`."""
