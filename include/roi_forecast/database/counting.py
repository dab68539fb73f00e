"""Functions that mark sums of the track record as out of date, and that count outcomes again.

A mark is written in the transaction of the change, so whoever sees a price or a forecast also sees
that the sums lack it. Marks are only added, so that no writer waits for another. The functions run
with their owner's rights and a fixed search path: the pipeline can change neither sums nor marks.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, insert, select

from roi_forecast.database.tables import counted_months, predictions, uncounted

MARK_CHANGES = """
CREATE OR REPLACE FUNCTION roi.mark_uncounted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO roi.uncounted (source, symbol, first_date)
        SELECT source, symbol, min(month) FROM roi.counted_months GROUP BY source, symbol;
    ELSIF TG_TABLE_NAME = 'model_versions' THEN
        INSERT INTO roi.uncounted (source, symbol, first_date)
        SELECT forecast.source, forecast.symbol, min(forecast.target_date)
        FROM old_rows
        JOIN new_rows USING (version_id)
        JOIN roi.predictions AS forecast USING (version_id)
        WHERE (old_rows.model_name, old_rows.last_date) IS DISTINCT FROM
              (new_rows.model_name, new_rows.last_date)
        GROUP BY forecast.source, forecast.symbol;
    ELSIF TG_TABLE_NAME = 'predictions' THEN
        IF TG_OP <> 'INSERT' THEN
            INSERT INTO roi.uncounted (source, symbol, first_date)
            SELECT source, symbol, min(target_date) FROM old_rows WHERE horizon = 1
            GROUP BY source, symbol;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO roi.uncounted (source, symbol, first_date)
            SELECT source, symbol, min(target_date) FROM new_rows WHERE horizon = 1
            GROUP BY source, symbol;
        END IF;
    ELSE
        IF TG_OP <> 'INSERT' THEN
            INSERT INTO roi.uncounted (source, symbol, first_date)
            SELECT source, symbol, min(trading_date) FROM old_rows GROUP BY source, symbol;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            INSERT INTO roi.uncounted (source, symbol, first_date)
            SELECT source, symbol, min(trading_date) FROM new_rows GROUP BY source, symbol;
        END IF;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION roi.mark_uncounted() FROM PUBLIC
"""

# Whoever counts takes the marks first: what is committed later has a mark of its own. Months of
# changed series are counted anew, and days from the stored months, so that no error adds up.
COUNT_OUTCOMES = """
CREATE OR REPLACE FUNCTION roi.count_outcomes() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed roi.uncounted[];
    sources text[];
    first_day date;
BEGIN
    LOCK TABLE roi.counted_days IN SHARE ROW EXCLUSIVE MODE;
    WITH taken AS (DELETE FROM roi.uncounted RETURNING source, symbol, first_date),
         series AS (
             SELECT source, symbol, min(first_date) AS first_date FROM taken GROUP BY source, symbol
         )
    SELECT array_agg((0, source, symbol, first_date)::roi.uncounted), array_agg(DISTINCT source),
           min(first_date)
    INTO changed, sources, first_day
    FROM series;
    IF changed IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM roi.counted_months AS counted
    USING unnest(changed) AS series
    WHERE counted.source = series.source
      AND counted.symbol = series.symbol
      AND counted.month >= date_trunc('month', series.first_date)::date;
    INSERT INTO roi.counted_months
    SELECT outcome.model_name,
           series.source,
           series.symbol,
           date_trunc('month', outcome.target_date)::date AS month,
           outcome.backfill,
           count(*),
           count(*) FILTER (WHERE outcome.inside_80),
           count(*) FILTER (WHERE outcome.inside_95),
           count(outcome.direction_hit),
           count(*) FILTER (WHERE outcome.direction_hit),
           sum(abs(outcome.error_pct)),
           sum(abs(outcome.realised_roi_pct)),
           array_agg(outcome.target_date),
           array_agg(outcome.inside_80),
           array_agg(outcome.inside_95),
           array_agg(outcome.direction_hit),
           array_agg(abs(outcome.error_pct)),
           array_agg(abs(outcome.realised_roi_pct))
    FROM unnest(changed) AS series
    JOIN roi.outcomes AS outcome
      ON outcome.source = series.source
     AND outcome.symbol = series.symbol
     AND outcome.target_date >= date_trunc('month', series.first_date)::date
    WHERE outcome.horizon = 1 AND NOT outcome.filled_target
    GROUP BY outcome.model_name, series.source, series.symbol, month, outcome.backfill;
    DELETE FROM roi.counted_days WHERE source = ANY (sources) AND target_date >= first_day;
    INSERT INTO roi.counted_days
    SELECT counted.model_name,
           counted.source,
           forecast.target_date,
           counted.backfill,
           count(*),
           count(*) FILTER (WHERE forecast.inside_80),
           count(*) FILTER (WHERE forecast.inside_95),
           count(forecast.direction_hit),
           count(*) FILTER (WHERE forecast.direction_hit),
           sum(forecast.error_pct),
           sum(forecast.error_of_zero_pct)
    FROM roi.counted_months AS counted
    CROSS JOIN LATERAL unnest(
        counted.target_dates, counted.insides_80, counted.insides_95, counted.hits,
        counted.errors_pct, counted.errors_of_zero_pct
    ) AS forecast (target_date, inside_80, inside_95, direction_hit, error_pct, error_of_zero_pct)
    WHERE counted.source = ANY (sources)
      AND counted.month >= date_trunc('month', first_day)::date
      AND forecast.target_date >= first_day
    GROUP BY counted.model_name, counted.source, forecast.target_date, counted.backfill;
END
$$;
REVOKE ALL ON FUNCTION roi.count_outcomes() FROM PUBLIC
"""


def mark_everything(connection: Connection) -> None:
    """Mark every series: changes may have been missed.

    Args:
        connection: Market database, as the owner of the schema.
    """
    forecast, counted = predictions.c, counted_months.c
    for source, symbol, day in (
        (forecast.source, forecast.symbol, forecast.target_date),
        (counted.source, counted.symbol, counted.month),
    ):
        series = select(source, symbol, func.min(day)).group_by(source, symbol)
        connection.execute(
            insert(uncounted).from_select(["source", "symbol", "first_date"], series)
        )


def count_outcomes(connection: Connection) -> None:
    """Bring the stored sums up to date, in the caller's transaction; one at a time.

    Args:
        connection: Market database, as a role that may write.
    """
    connection.execute(select(func.roi.count_outcomes()))
