"""Files of the installation: atomic writes, verified reads and cleaning up after a crash."""
