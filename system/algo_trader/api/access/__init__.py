"""Who may ask the service: API keys, the owner's browser, limits, the audit."""
