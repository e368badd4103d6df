"""The XML Schema of a table's features, as GML has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from thalweg.features.tables import GEOMETRY, ID, FeatureTable, Kind

MEDIA_TYPE = "application/xml"
_TYPES: Mapping[Kind, str] = {
    "integer": "xs:long",
    "number": "xs:double",
    "text": "xs:string",
    "boolean": "xs:boolean",
    "date": "xs:date",
    "timestamp": "xs:dateTime",
}
_NAME = re.compile(r"[^\W\d][\w.-]*")


def xml_schema(table: FeatureTable, url: str) -> str:
    """A feature type with the table's columns, but those whose names no element may have.

    GDAL reads whole numbers from a JSON Schema as 32 bits, whatever their format, and cuts off what
    is larger; from `xs:long` it reads 64.
    """
    kinds = {ID: "xs:long", **{one.name: _TYPES[one.kind] for one in table.columns}}
    elements = [_element(name, kind) for name, kind in kinds.items() if _NAME.fullmatch(name)]
    elements.append(_element(GEOMETRY, "gml:GeometryPropertyType"))
    return _SCHEMA.format(
        url=quoteattr(url), name=table.name, elements="\n          ".join(elements)
    )


def _element(name: str, kind: str) -> str:
    return f'<xs:element name="{name}" type="{kind}" minOccurs="0"/>'


_SCHEMA = """\
<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:gml="http://www.opengis.net/gml/3.2"
    xmlns={url} targetNamespace={url} elementFormDefault="qualified">
  <xs:import namespace="http://www.opengis.net/gml/3.2"
      schemaLocation="http://schemas.opengis.net/gml/3.2.1/gml.xsd"/>
  <xs:element name="{name}" type="{name}Type" substitutionGroup="gml:AbstractFeature"/>
  <xs:complexType name="{name}Type">
    <xs:complexContent>
      <xs:extension base="gml:AbstractFeatureType">
        <xs:sequence>
          {elements}
        </xs:sequence>
      </xs:extension>
    </xs:complexContent>
  </xs:complexType>
</xs:schema>
"""
