"""What `make run` shows while Airflow works, and at the end."""
