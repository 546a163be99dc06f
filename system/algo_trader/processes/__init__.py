"""Long-running processes of this system: what they show, and how they are started and kept."""
