"""Redis: its URLs, its errors in our tree, locks with fencing, and a server of our own."""
