"""Pages and REST API on the views: a FastAPI application that knows nothing of Airflow."""
