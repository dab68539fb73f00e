"""What is asked of prices before they are used."""
