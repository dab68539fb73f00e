"""The views that the pages and the REST API read, and a role that any connection can take on."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MODEL_NAMES = """
CREATE VIEW roi.model_names AS
WITH names AS (
    SELECT model_name FROM roi.runs
    UNION
    SELECT model_name FROM roi.model_versions
)
SELECT names.model_name,
       champion.version_id AS champion_version_id,
       coalesce(champion.source, run.source) AS source,
       coalesce(champion.source, run.source) = 'simulated' AS simulated,
       run.run_id AS last_run_id,
       run.as_of_date AS last_as_of_date,
       run.claimed_at AS last_run_at
FROM names
LEFT JOIN roi.model_versions AS champion
  ON champion.model_name = names.model_name AND champion.state = 'champion'
LEFT JOIN LATERAL (
    SELECT newest.run_id, newest.source, newest.as_of_date, newest.claimed_at
    FROM roi.runs AS newest
    WHERE newest.model_name = names.model_name
    ORDER BY newest.claimed_at DESC, newest.run_id DESC
    LIMIT 1
) AS run ON true
"""

PUBLISHED_FORECASTS = """
CREATE VIEW roi.published_forecasts AS
SELECT version.model_name,
       prediction.symbol,
       asset.name,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.predicted_roi_pct,
       prediction.lower_80_pct,
       prediction.upper_80_pct,
       prediction.lower_95_pct,
       prediction.upper_95_pct,
       prediction.predicted_smoothed_roi_pct,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.version_id,
       prediction.run_id,
       prediction.created_at
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version ON version.version_id = prediction.version_id
LEFT JOIN roi.assets AS asset ON asset.symbol = prediction.symbol
"""

# The outcomes on which the asset had a bar, as prediction_outcomes has them. That view carries
# prices row by row; this one finds them by joins, which is what counting many of them needs.
REALISED_FORECASTS = """
CREATE VIEW roi.realised_forecasts AS
SELECT version.model_name,
       prediction.symbol,
       prediction.as_of_date,
       prediction.target_date,
       prediction.horizon,
       prediction.predicted_roi_pct,
       outcome.realised_roi_pct,
       outcome.realised_roi_pct BETWEEN prediction.lower_80_pct AND prediction.upper_80_pct
           AS inside_80,
       outcome.realised_roi_pct BETWEEN prediction.lower_95_pct AND prediction.upper_95_pct
           AS inside_95,
       prediction.source,
       prediction.source = 'simulated' AS simulated,
       prediction.backfill,
       prediction.version_id
FROM roi.predictions AS prediction
JOIN roi.model_versions AS version ON version.version_id = prediction.version_id
JOIN roi.daily_prices AS at_target
  ON at_target.source = prediction.source
 AND at_target.symbol = prediction.symbol
 AND at_target.trading_date = prediction.target_date
LEFT JOIN roi.daily_prices AS at_start
  ON at_start.source = prediction.source
 AND at_start.symbol = prediction.symbol
 AND at_start.trading_date = prediction.as_of_date
CROSS JOIN LATERAL (
    SELECT 100 * (at_target.adj_close / coalesce(at_start.adj_close, (
        SELECT carried.adj_close
        FROM roi.daily_prices AS carried
        WHERE carried.source = prediction.source
          AND carried.symbol = prediction.symbol
          AND carried.trading_date <= prediction.as_of_date
        ORDER BY carried.trading_date DESC
        LIMIT 1
    )) - 1) AS realised_roi_pct
) AS outcome
WHERE outcome.realised_roi_pct IS NOT NULL
"""

PRICE_HISTORY = """
CREATE VIEW roi.price_history AS
SELECT price.source,
       price.symbol,
       price.trading_date,
       price.adj_close,
       price.source = 'simulated' AS simulated
FROM roi.daily_prices AS price
"""

MODEL_VERSION_DETAILS = """
CREATE VIEW roi.model_version_details AS
SELECT version.model_name,
       version.version_id,
       version.state,
       version.run_id,
       version.dataset_id,
       version.source,
       version.source = 'simulated' AS simulated,
       version.symbols,
       version.first_date,
       version.last_date,
       version.hyperparameters,
       version.seed,
       version.code_revision,
       version.created_at,
       version.files_deleted_at,
       (version.metrics ->> 'shrinkage')::double precision AS shrinkage,
       verdict.passed AS verdict_passed,
       verdict.reason AS verdict_reason,
       verdict.decided_at,
       promoted.promoted_at
FROM roi.model_versions AS version
LEFT JOIN LATERAL (
    SELECT decision.passed, decision.reason, decision.decided_at
    FROM roi.gate_decisions AS decision
    WHERE decision.version_id = version.version_id AND decision.rule = 'verdict'
    ORDER BY decision.decided_at DESC
    LIMIT 1
) AS verdict ON true
LEFT JOIN LATERAL (
    SELECT max(promotion.promoted_at) AS promoted_at
    FROM roi.promotions AS promotion
    WHERE promotion.version_id = version.version_id
) AS promoted ON true
"""

# Of several evaluations of one version the newest counts. Folds are a backtest's own.
VERSION_SCORES = """
CREATE VIEW roi.version_scores AS
SELECT DISTINCT ON (score.version_id, score.predictor, score.target, score.symbol, score.split,
                    score.metric, score.horizon)
       version.model_name,
       score.version_id,
       score.predictor,
       score.target,
       score.symbol,
       score.split,
       score.metric,
       score.horizon,
       score.value,
       score.first_date,
       score.last_date,
       score.rows,
       version.source = 'simulated' AS simulated
FROM roi.evaluations AS score
JOIN roi.model_versions AS version ON version.version_id = score.version_id
WHERE score.fold IS NULL AND score.newest_sessions IS NULL
ORDER BY score.version_id, score.predictor, score.target, score.symbol, score.split, score.metric,
         score.horizon, score.id DESC
"""

GATE_RULINGS = """
CREATE VIEW roi.gate_rulings AS
SELECT version.model_name,
       decision.run_id,
       decision.version_id,
       decision.rule,
       decision.rule = 'verdict' AS is_verdict,
       decision.opponent,
       decision.decisive,
       decision.threshold,
       decision.observed,
       decision.passed,
       decision.reason,
       decision.decided_at,
       version.source = 'simulated' AS simulated
FROM roi.gate_decisions AS decision
JOIN roi.model_versions AS version ON version.version_id = decision.version_id
"""

RUN_HISTORY = """
CREATE VIEW roi.run_history AS
SELECT run.model_name,
       run.run_id,
       run.source,
       run.source = 'simulated' AS simulated,
       run.as_of_date,
       run.claimed_at,
       run.released_at,
       coalesce(extraction.assets, 0) AS assets,
       coalesce(extraction.failed, 0) AS failed_extractions,
       (SELECT count(*) FROM roi.price_checks AS price_check
        WHERE price_check.run_id = run.run_id AND NOT price_check.passed) AS failed_checks,
       verdict.version_id,
       verdict.passed AS verdict_passed,
       verdict.reason AS verdict_reason
FROM roi.runs AS run
LEFT JOIN LATERAL (
    SELECT count(*) AS assets,
           count(*) FILTER (WHERE extraction.status = 'failed') AS failed
    FROM roi.extractions AS extraction
    WHERE extraction.run_id = run.run_id
) AS extraction ON true
LEFT JOIN LATERAL (
    SELECT decision.version_id, decision.passed, decision.reason
    FROM roi.gate_decisions AS decision
    WHERE decision.run_id = run.run_id AND decision.rule = 'verdict'
    ORDER BY decision.decided_at DESC
    LIMIT 1
) AS verdict ON true
"""

# One row for each asset of the newest run of each model name.
ASSET_HEALTH = """
CREATE VIEW roi.asset_health AS
SELECT name.model_name,
       extraction.run_id,
       extraction.symbol,
       asset.name,
       extraction.source,
       extraction.source = 'simulated' AS simulated,
       name.last_as_of_date AS as_of_date,
       last_bar.trading_date AS last_bar_date,
       last_bar.fetched_at,
       extraction.status AS extraction_status,
       extraction.rows AS extracted_rows,
       extraction.error AS extraction_error,
       extraction.finished_at,
       (SELECT count(*) FROM roi.price_checks AS price_check
        WHERE price_check.run_id = extraction.run_id
          AND price_check.symbol = extraction.symbol
          AND NOT price_check.passed) AS failed_checks
FROM roi.model_names AS name
JOIN roi.extractions AS extraction ON extraction.run_id = name.last_run_id
LEFT JOIN roi.assets AS asset ON asset.symbol = extraction.symbol
LEFT JOIN LATERAL (
    SELECT price.trading_date, price.fetched_at
    FROM roi.daily_prices AS price
    WHERE price.source = extraction.source AND price.symbol = extraction.symbol
    ORDER BY price.trading_date DESC
    LIMIT 1
) AS last_bar ON true
"""

FAILED_CHECKS = """
CREATE VIEW roi.failed_checks AS
SELECT run.model_name,
       price_check.id,
       price_check.run_id,
       price_check.source,
       price_check.source = 'simulated' AS simulated,
       price_check.symbol,
       price_check.trading_date,
       price_check.check_name,
       price_check.severity,
       price_check.observed,
       price_check.allowed,
       price_check.message,
       price_check.checked_at
FROM roi.price_checks AS price_check
JOIN roi.runs AS run ON run.run_id = price_check.run_id
WHERE NOT price_check.passed
"""

VIEWS = {
    "model_names": MODEL_NAMES,
    "published_forecasts": PUBLISHED_FORECASTS,
    "realised_forecasts": REALISED_FORECASTS,
    "price_history": PRICE_HISTORY,
    "model_version_details": MODEL_VERSION_DETAILS,
    "version_scores": VERSION_SCORES,
    "gate_rulings": GATE_RULINGS,
    "run_history": RUN_HISTORY,
    "asset_health": ASSET_HEALTH,
    "failed_checks": FAILED_CHECKS,
}

# A superuser can take on any role; another owner of the schema needs to be a member. Where the
# role was made by somebody else, they have to grant it.
JOIN_READER = """
DO $$
BEGIN
    GRANT roi_reader TO CURRENT_USER;
EXCEPTION
    WHEN insufficient_privilege OR unique_violation THEN NULL;
END
$$
"""

# Measured with 500 assets and 750 sessions (benchmarks/api_latency.py): the newest as-of date of a
# version, the newest outcomes, and all forecasts of one asset each took a scan of the table.
INDEXES = {
    "ix_predictions_newest": ("version_id", "horizon", "as_of_date"),
    "ix_predictions_target_date": ("target_date",),
    "ix_predictions_symbol": ("symbol", "as_of_date"),
}


def upgrade() -> None:
    for name, statement in VIEWS.items():
        op.execute(statement)
        op.execute(f"GRANT SELECT ON roi.{name} TO roi_reader")
    op.execute(JOIN_READER)
    for name, columns in INDEXES.items():
        op.create_index(name, "predictions", list(columns), schema="roi")


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name="predictions", schema="roi")
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW roi.{name}")
