"""The XML Schema of a table's features."""

from __future__ import annotations

from xml.etree import ElementTree

from thalweg.api.features.xml_schema import xml_schema
from thalweg.features.tables import Column, FeatureTable

XS = "{http://www.w3.org/2001/XMLSchema}"
COLUMNS = (
    Column("people", "integer"),
    Column("seen", "timestamp"),
    Column("straße", "text"),
    Column("50 % <flat>", "number"),
    Column('"quoted"', "boolean"),
)


def test_columns_are_elements_but_those_whose_names_are_none() -> None:
    told = xml_schema(FeatureTable("a-table", COLUMNS), 'http://localhost/?a="1"&b=2')
    root = ElementTree.fromstring(told)
    elements = {one.get("name"): one.get("type") for one in root.iter(f"{XS}element")}
    assert elements == {
        "a-table": "a-tableType",
        "fid": "xs:long",
        "people": "xs:long",
        "seen": "xs:dateTime",
        "straße": "xs:string",
        "geometry": "gml:GeometryPropertyType",
    }
    assert root.get("targetNamespace") == 'http://localhost/?a="1"&b=2'
