"""When a version's files were found damaged, so that another one serves in its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DETAILS = """
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
       promoted.promoted_at{damaged_at}
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


def upgrade() -> None:
    op.add_column(
        "model_versions",
        sa.Column(
            "damaged_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="null while its files are not known to be damaged",
        ),
        schema="roi",
    )
    _replace_details(",\n       version.damaged_at")


def downgrade() -> None:
    _replace_details("")
    op.drop_column("model_versions", "damaged_at", schema="roi")


def _replace_details(damaged_at: str) -> None:
    op.execute("DROP VIEW roi.model_version_details")
    op.execute(DETAILS.format(damaged_at=damaged_at))
    op.execute("GRANT SELECT ON roi.model_version_details TO roi_reader")
