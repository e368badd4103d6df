"""The pages that people see: one template for all, with no scripts and nothing from elsewhere."""

from __future__ import annotations

from typing import Any

import jinja2
from starlette.templating import Jinja2Templates

_PAGE = "page.html"


class _OnePage(jinja2.PackageLoader):
    """Gives the one template by whatever name tipg asks for."""

    def get_source(self, environment: jinja2.Environment, _template: str) -> Any:
        return super().get_source(environment, _PAGE)


_ENVIRONMENT = jinja2.Environment(
    loader=_OnePage("thalweg.api.features", "templates"), autoescape=True, trim_blocks=True
)
TEMPLATES = Jinja2Templates(env=_ENVIRONMENT)
