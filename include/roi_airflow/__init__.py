"""What DAGs and plugins share and needs Airflow."""
