"""A hook of MkDocs: docs/notebook.ipynb as a page, with what its cells gave."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

NOTEBOOK = "notebook.ipynb"
PAGE = "notebook.md"
FOOT = f"\n[This page as a notebook]({NOTEBOOK}), to run yourself.\n"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    cells = json.loads((Path(config.docs_dir) / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
    pictures: list[bytes] = []
    page = "\n\n".join(part for cell in cells for part in parts(cell, pictures))
    files.append(File.generated(config, PAGE, content=page + FOOT))
    for number, picture in enumerate(pictures, start=1):
        files.append(File.generated(config, name_of(number), content=picture))
    return files


def parts(cell: dict[str, Any], pictures: list[bytes]) -> Iterator[str]:
    """A cell in Markdown; pictures are put aside."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    shell = source.startswith("%%bash\n")
    language = "sh" if shell else "python"
    yield f"```{language}\n{source.removeprefix('%%bash').strip()}\n```"
    for output in cell["outputs"]:
        yield from shown(output, pictures)


def shown(output: dict[str, Any], pictures: list[bytes]) -> Iterator[str]:
    data = output.get("data", {})
    if "image/png" in data:
        pictures.append(base64.b64decode(data["image/png"]))
        yield f"![What the cell above draws]({name_of(len(pictures))})"
    elif "text/html" in data:
        # The theme draws tables that bear no class.
        html = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.DOTALL)
        html = re.sub(r'<table border="1" class="dataframe">', "<table>", html)
        yield "\n".join(line.strip() for line in html.splitlines() if line.strip())
    else:
        text = "".join(output.get("text") or data["text/plain"]).strip("\n")
        yield f"```text\n{text}\n```"


def name_of(picture: int) -> str:
    return f"notebook-{picture}.png"
