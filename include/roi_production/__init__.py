"""An installation on several machines: its secrets, roles, databases and health checks."""
