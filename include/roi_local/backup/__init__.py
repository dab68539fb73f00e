"""Backup and restore: of the market on any PostgreSQL, and of a whole local installation."""
