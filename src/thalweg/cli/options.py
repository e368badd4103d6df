"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[
    Path,
    typer.Option(
        "--workspace",
        "-w",
        envvar="THALWEG_WORKSPACE",
        help="Folder of the catalogue, the runs and, by default, the zones.",
    ),
]
SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source", help="Where the delivery lies (the bronze zone): a folder, s3://, az://, gs://."
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A choice, as name=value: a dimension (values by commas), tiles, bbox, base_prefix, "
        "or step.field. May be repeated.",
    ),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="STEP",
        help="Do a step that the pipeline leaves out unless it is asked for, and what it needs. "
        "May be repeated.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
PipelineArgument = Annotated[
    str, typer.Argument(help="The name of a built-in pipeline, or the path of a YAML file.")
]
DEFAULT_WORKSPACE = Path("workspace")
