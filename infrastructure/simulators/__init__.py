"""Local stand-ins for the outside world. They import nothing of the clients that they judge."""
