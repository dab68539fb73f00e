"""One module a target of the Makefile."""
