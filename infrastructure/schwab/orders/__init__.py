"""Orders: the words, an immutable builder with templates, checks, the arming, and what came of it."""
