"""The market database: tables, views, triggers, roles and migrations."""
