"""What this project adds to Airflow's API server: pages, and protection of all its paths."""
