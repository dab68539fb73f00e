"""Price sources, one module each."""
