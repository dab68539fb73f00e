"""The market database: tables, engine, migrations and the SQL views people read."""
