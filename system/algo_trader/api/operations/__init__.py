"""What can be asked of the service, and how it is answered, whatever the way of asking."""
