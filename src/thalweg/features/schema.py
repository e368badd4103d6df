"""The schema `features` of a database: its functions, its revision, and who may read it."""

from __future__ import annotations

import re

from thalweg.errors import DatabaseError
from thalweg.storage.postgres import connected

SCHEMA = "features"
REVISION = 1
READ_ROLE = "thalweg_reader"
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
REVISION_QUERY = "SELECT obj_description(to_regnamespace('features'), 'pg_namespace')"
"""Gives `revision N`; null where the schema was not made, or not by Thalweg."""
_STATEMENTS = f"""
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE OR REPLACE FUNCTION {SCHEMA}.features_casei(given text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT upper(given COLLATE "default") $$;
CREATE OR REPLACE FUNCTION {SCHEMA}.features_accenti(given text) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT unaccent(given) $$;
CREATE OR REPLACE FUNCTION {SCHEMA}.features_fraction(dividend float8, divisor float8)
    RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT dividend / nullif(divisor, 0) $$;
COMMENT ON SCHEMA {SCHEMA} IS 'revision {REVISION}';
"""
_GRANTS = """
GRANT {role} TO CURRENT_USER;
ALTER ROLE {role} SET default_transaction_read_only = on;
ALTER ROLE {role} SET statement_timeout = '10s';
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role};
"""


def prepare(url: str) -> str:
    """Makes the schema in a database, or brings it up to date; gives its revision.

    Raises `DatabaseUnavailable` and `DatabaseError`.
    """
    with connected(url) as connection:
        connection.execute(_STATEMENTS)
    return f"revision {REVISION}"


def prepare_reader(url: str, role: str = READ_ROLE) -> str:
    """Makes the role that serving reads as, which may change nothing; gives its name."""
    if not _ROLE.fullmatch(role):
        raise DatabaseError(f"{role[:64]!r} is no plain name of a role")
    with connected(url) as connection:
        held = "SELECT 1 FROM pg_roles WHERE rolname = %s"
        if connection.execute(held, [role]).fetchone() is None:
            connection.execute(f"CREATE ROLE {role} NOLOGIN")
        if connection.execute("SELECT to_regrole('pgstac_read') IS NOT NULL").fetchone() == (True,):
            connection.execute(f"GRANT pgstac_read TO {role}")
        connection.execute(_GRANTS.format(role=role, schema=SCHEMA))
    return role
