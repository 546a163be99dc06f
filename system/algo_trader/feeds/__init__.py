"""Where data come from: each feed has the same few verbs."""
