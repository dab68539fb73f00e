"""The embedded PostgreSQL of a local installation."""
