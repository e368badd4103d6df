"""The tables of runs, stages and tasks, beside the engine's own in one database."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("submission", sa.String, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("executor", sa.String),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
)

sa.Index(
    "one_unfinished_run_per_submission",
    runs.c.submission,
    unique=True,
    sqlite_where=sa.text("state IN ('queued', 'running')"),
    postgresql_where=sa.text("state IN ('queued', 'running')"),
)
sa.Index("runs_by_creation", runs.c.created)

stages = sa.Table(
    "stages",
    metadata,
    sa.Column("run", sa.ForeignKey(runs.c.id), primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("already", sa.Integer, nullable=False, default=0),
    sa.Column("missing", sa.JSON, nullable=False, default=list),
    sa.Column("error", sa.JSON),
    sa.CheckConstraint("state IN ('queued', 'running', 'ended', 'failed')"),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("run", sa.String, primary_key=True),
    sa.Column("stage", sa.String, primary_key=True),
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("task", sa.JSON, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("token", sa.String),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("result", sa.JSON),
    sa.Column("error", sa.JSON),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.ForeignKeyConstraint(["run", "stage"], [stages.c.run, stages.c.name]),
    sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')"),
)

sa.Index("tasks_by_state", tasks.c.run, tasks.c.state, tasks.c.stage, tasks.c.size)


def create_tables(engine: sa.Engine) -> None:
    """Make the tables that are not there yet; two processes may do so at once."""
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
