CREATE VIEW roi.champion_history AS
SELECT promotion.model_name,
       promotion.version_id,
       promotion.promoted_at AS served_from,
       lead(promotion.promoted_at) OVER by_name AS served_until,
       promotion.from_version_id,
       promotion.promoted_by,
       promotion.reason,
       version.source,
       version.source = 'simulated' AS simulated
FROM roi.promotions AS promotion
JOIN roi.model_versions AS version ON version.version_id = promotion.version_id
WINDOW by_name AS (PARTITION BY promotion.model_name ORDER BY promotion.id);

COMMENT ON VIEW roi.champion_history IS
    'The versions that served, with the period and the reason of each promotion.';
COMMENT ON COLUMN roi.champion_history.version_id IS 'the version that served';
COMMENT ON COLUMN roi.champion_history.served_from IS 'when it started to serve';
COMMENT ON COLUMN roi.champion_history.served_until IS
    'when another version replaced it; null while it serves';
COMMENT ON COLUMN roi.champion_history.simulated IS 'true: the prices are simulated, not real';
