"""What Airflow's API server gains: pages, and protection of both."""
