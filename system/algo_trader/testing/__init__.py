"""Tools that only tests of this system use."""
