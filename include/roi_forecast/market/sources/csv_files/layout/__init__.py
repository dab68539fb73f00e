"""What the columns of a file mean, and whose bars they are."""
