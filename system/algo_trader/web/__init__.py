"""The status page: its files, and the policy under which a browser shows them."""
