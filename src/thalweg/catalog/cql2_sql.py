"""What a checked CQL2 filter is in SQL, whatever the tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thalweg.catalog.cql2 import COMPARISONS, LOGICAL, SPATIAL, Node


@dataclass
class SqlConditions(ABC):
    """Makes conditions; what is given stands in `values`, by name, never in the SQL."""

    values: dict[str, Any] = field(default_factory=dict, kw_only=True)

    def bind(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def condition(self, node: Node) -> str:
        """The SQL of a filter of `checked_filter`."""
        if isinstance(node, bool):
            return "1" if node else "0"
        op, args = node["op"], node["args"]
        if op == "not":
            return f"NOT ({self.condition(args[0])})"
        if op in LOGICAL:
            return "(" + f" {op.upper()} ".join(self.condition(one) for one in args) + ")"
        if op in SPATIAL:
            return self.spatial(op, args[1])
        return self.predicate(op, [args[0], *args[1]] if op == "in" else args)

    @abstractmethod
    def spatial(self, op: str, geometry: Mapping[str, Any]) -> str:
        """The SQL of a spatial condition on a row's geometry."""

    @abstractmethod
    def predicate(self, op: str, args: list[Node]) -> str:
        """The SQL of an operator over values; those of `in` stand behind the first."""


def compared(op: str, sql: list[str]) -> str:
    """The SQL of a comparison of values that are SQL already."""
    if op in COMPARISONS:
        return f"({sql[0]} {op} {sql[1]})"
    if op == "between":
        return f"({sql[0]} BETWEEN {sql[1]} AND {sql[2]})"
    if op == "in":
        return f"({sql[0]} IN ({', '.join(sql[1:])}))"
    if op == "isNull":
        return f"({sql[0]} IS NULL)"
    return f"like_as_sql({sql[0]}, {sql[1]})"
