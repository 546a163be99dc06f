"""The command line: one file a group of verbs; nothing but main imports it."""
