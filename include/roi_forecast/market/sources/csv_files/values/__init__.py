"""Reading dates and numbers by the conventions that a file as a whole shows."""
