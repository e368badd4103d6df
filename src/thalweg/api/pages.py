"""What libraries answer, as pages: one template for all, no scripts, nothing from elsewhere."""

from __future__ import annotations

from typing import Any

import jinja2
from starlette.templating import Jinja2Templates

_PAGE = "page.html"


class _OnePage(jinja2.PackageLoader):
    """Gives the one template by whatever name tipg or titiler asks for."""

    def get_source(self, environment: jinja2.Environment, _template: str) -> Any:
        return super().get_source(environment, _PAGE)


def templates(*, with_crumbs: bool) -> Jinja2Templates:
    """Templates for a library's factory; `with_crumbs` where all paths above are answered too."""
    environment = jinja2.Environment(
        loader=_OnePage("thalweg.api", "templates"), autoescape=True, trim_blocks=True
    )
    environment.globals["with_crumbs"] = with_crumbs
    return Jinja2Templates(env=environment)
