"""A service that answers with fixed documents, for the tests of the page."""
