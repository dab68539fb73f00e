"""Files of the installation: written whole, checked by a manifest, cleared away after a crash."""
