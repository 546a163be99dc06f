"""Orders: the words, an immutable builder with templates, checks and the arming."""
