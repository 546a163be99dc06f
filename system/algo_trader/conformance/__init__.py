"""Compare what Schwab answers with the forms that this stack believes in; read-only."""
