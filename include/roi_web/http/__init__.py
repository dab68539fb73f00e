"""What requests and responses have in common: methods, parameters, formats and problems."""
