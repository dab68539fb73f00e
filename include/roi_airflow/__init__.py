"""What DAGs and plugins share and cannot do without Airflow."""
