"""Reading the views for pages and the API."""
