"""Everything on one machine: PostgreSQL, Airflow and the commands behind the Makefile."""
