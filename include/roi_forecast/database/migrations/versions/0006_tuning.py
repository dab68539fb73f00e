"""Searches for hyperparameters: studies, their trials, and what people read of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TUNING_TRIALS = """
CREATE VIEW roi.tuning_trials AS
SELECT trial.study,
       CASE WHEN trial.state = 'complete'
            THEN rank() OVER (PARTITION BY trial.study, trial.state
                              ORDER BY trial.validation_r2 DESC)
       END AS rank,
       trial.trial,
       trial.state,
       trial.validation_r2,
       trial.parameters,
       trial.epochs,
       trial.seconds,
       study.source,
       study.source = 'simulated' AS simulated,
       study.dataset_id,
       dataset.as_of_date,
       trial.run_id,
       trial.finished_at
FROM roi.trials AS trial
JOIN roi.studies AS study ON study.study = trial.study
JOIN roi.datasets AS dataset ON dataset.dataset_id = study.dataset_id
"""


def upgrade() -> None:
    op.create_table(
        "studies",
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("dataset_id", sa.Text, nullable=False),
        sa.Column("identity", JSONB, nullable=False, comment="what its trials have in common"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("study", name="pk_studies"),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["roi.datasets.dataset_id"], name="fk_studies_dataset_id"
        ),
        schema="roi",
    )
    op.create_table(
        "trials",
        sa.Column("study", sa.Text, nullable=False),
        sa.Column("trial", sa.Integer, nullable=False, comment="number within the study"),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("parameters", JSONB, nullable=False),
        sa.Column(
            "validation_r2",
            sa.Double,
            comment="overall, scaled smoothed ROI; null where pruned",
        ),
        sa.Column("epochs", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False, comment="of training"),
        sa.Column(
            "finished_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
        sa.PrimaryKeyConstraint("study", "trial", name="pk_trials"),
        sa.ForeignKeyConstraint(["study"], ["roi.studies.study"], name="fk_trials_study"),
        sa.CheckConstraint("state IN ('complete', 'pruned')", name="ck_trials_state"),
        schema="roi",
    )
    op.execute(TUNING_TRIALS)
    op.execute("GRANT SELECT ON roi.tuning_trials TO roi_reader")


def downgrade() -> None:
    op.execute("DROP VIEW roi.tuning_trials")
    op.drop_table("trials", schema="roi")
    op.drop_table("studies", schema="roi")
