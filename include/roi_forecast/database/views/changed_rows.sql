CREATE VIEW roi.changed_rows AS
SELECT change.id,
       change.table_name,
       change.operation,
       change.rows,
       change.old_values,
       change.changed_at,
       change.changed_by,
       change.application_name
FROM roi.history_changes AS change;

COMMENT ON VIEW roi.changed_rows IS
    'Every change and deletion of a stored row, with its old values, time and login.';
COMMENT ON COLUMN roi.changed_rows.rows IS 'number of rows changed or deleted';
