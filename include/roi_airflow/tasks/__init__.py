"""The stages as Airflow's tasks."""
