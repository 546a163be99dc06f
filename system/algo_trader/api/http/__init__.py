"""The service over HTTP: the gate, the routes, the forms of an answer."""
