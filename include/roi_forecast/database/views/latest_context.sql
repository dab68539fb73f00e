CREATE VIEW roi.latest_context AS
SELECT champion.model_name,
       prediction.symbol,
       prediction.as_of_date,
       prediction.target_date,
       context.key AS context_symbol,
       asset.name AS context_name,
       (context.value ->> 'move_pct')::double precision AS move_pct,
       (context.value ->> 'added_pct')::double precision AS added_pct,
       context.key = ANY (prediction.missing_context) AS missing,
       prediction.version_id
FROM roi.champions AS champion
JOIN roi.predictions AS prediction
  ON prediction.version_id = champion.version_id
 AND prediction.as_of_date = champion.as_of_date
 AND prediction.horizon = 1
CROSS JOIN LATERAL jsonb_each(prediction.context) AS context
LEFT JOIN roi.assets AS asset ON asset.symbol = context.key;

COMMENT ON VIEW roi.latest_context IS
    'What each context asset did, and what that adds to the newest next-session forecasts.';
COMMENT ON COLUMN roi.latest_context.version_id IS 'the model version';
COMMENT ON COLUMN roi.latest_context.as_of_date IS 'last session whose prices may be used';
COMMENT ON COLUMN roi.latest_context.context_symbol IS 'symbol of the context asset';
COMMENT ON COLUMN roi.latest_context.context_name IS 'name of the context asset';
COMMENT ON COLUMN roi.latest_context.move_pct IS
    'ROI of the context asset between the last two publication times, in percent';
COMMENT ON COLUMN roi.latest_context.added_pct IS
    'what this move adds to the forecast ROI, in percent points';
COMMENT ON COLUMN roi.latest_context.missing IS 'true: it lacks a bar that was due';
