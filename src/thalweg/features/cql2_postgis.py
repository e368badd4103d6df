"""A checked filter as the CQL2 that means the same once tipg has made SQL of it."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.catalog.cql2 import ARITHMETIC, TEXT, Node

_FUNCTIONS = {one: f"features_{one}" for one in TEXT}
"""Functions of the schema `features`, as PostgreSQL has none that do it for all letters."""


def as_postgis(node: Node) -> Node:
    """CQL2 JSON: division is of fractions and gives null by zero, text has functions of ours."""
    if isinstance(node, list):
        return [as_postgis(one) for one in node]
    if not isinstance(node, Mapping) or "op" not in node:
        return node
    op, args = node["op"], [as_postgis(one) for one in node["args"]]
    if op == "/":
        return {"op": "features_fraction", "args": args}
    if op in ARITHMETIC:
        return {"op": op, "args": [{"op": "float8", "args": args[:1]}, args[1]]}
    return {"op": _FUNCTIONS.get(op, op), "args": args}
