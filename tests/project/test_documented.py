from __future__ import annotations

from typing import Annotated, Any, Literal

import documented
import pytest
import tour
import typer
from pydantic import BaseModel, Field
from typer.main import get_command


class Inner(BaseModel):
    size: int


class Outer(BaseModel):
    name: str
    inner: Inner
    maybe: Inner | None
    many: list[Inner]
    named: dict[str, Inner]
    patterned: dict[Annotated[str, Field(pattern="^[a-z]+$")], Inner]


def test_settings_are_named_through_the_models_in_them() -> None:
    class Settings(BaseModel):
        name: str
        inner: Inner
        maybe: Inner | None

    assert list(documented.settings_of(Settings)) == ["name", "inner.size", "maybe.size"]


def test_fields_are_named_through_lists_maps_and_alternatives() -> None:
    assert set(documented.fields_of(Outer.model_json_schema())) == {
        "name",
        "inner",
        "inner.size",
        "maybe",
        "maybe.size",
        "many",
        "many[].size",
        "named",
        "named.*.size",
        "patterned",
        "patterned.*.size",
    }


def test_operators_are_told_by_the_constant_that_chooses_the_step() -> None:
    class Cut(BaseModel):
        operator: Literal["cut"]
        depth: int

    class Steps(BaseModel):
        steps: list[Cut]

    assert documented.operators_of(Steps.model_json_schema()) == {"cut": {"operator", "depth"}}


def test_a_model_within_itself_is_followed_once() -> None:
    schema: dict[str, Any] = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {"properties": {"name": {}, "child": {"$ref": "#/$defs/Node"}}},
        },
    }
    assert set(documented.fields_of(schema)) == {"name", "child"}


def test_commands_are_named_with_their_groups_and_hidden_ones_left_out() -> None:
    app, group = typer.Typer(), typer.Typer()
    app.add_typer(group, name="runs")

    @app.command()
    def run(pipeline: str, dry_run: bool = False) -> None: ...

    @app.command(hidden=True)
    def secret() -> None: ...

    @group.command("show")
    def show(run_id: str, json: bool = typer.Option(False, "-j", "--json")) -> None: ...

    found = dict(documented.commands_of(get_command(app), "thalweg"))

    assert set(found) == {"thalweg", "thalweg run", "thalweg runs show"}
    assert "--show-completion" in documented.parameters_of(found["thalweg"])
    assert {"PIPELINE", "--dry-run"} <= set(documented.parameters_of(found["thalweg run"]))
    assert set(documented.parameters_of(found["thalweg runs show"])) == {"RUN_ID", "--json"}


PAGE = """# Commands
Before `all`.
## `thalweg run`
It takes `--force`.
```sh
# not a heading
thalweg run `--not-prose`
```
### Exit codes {#exit}
Zero.
"""


def test_sections_end_at_the_next_heading_and_fences_hold_none() -> None:
    found = documented.sections(PAGE)
    assert list(found) == ["Commands", "thalweg run", "Exit codes"]
    assert "--force" in found["thalweg run"]
    assert "Zero" not in found["thalweg run"]


def test_only_what_the_prose_quotes_is_documented() -> None:
    assert documented.quoted(PAGE) >= {"all", "--force"}
    assert "--not-prose" not in documented.quoted(PAGE)


TOUR = """
```console
$ thalweg synth flood \\
    --preset tiny
made 16 files in ... s
$ false # exit code 1
```

```yaml title="mine.yaml"
name: mine
```

```sh
not a step
```
"""


def test_rows_are_told_by_their_first_cell() -> None:
    assert documented.rows("| field | default |\n|---|---|\n| `a.b` | `c` |\n") == {"a.b"}


def test_the_tour_is_read_in_its_order() -> None:
    first, second, third = tour.read_tour(TOUR)

    assert isinstance(first, tour.Command)
    assert first.line.split() == ["thalweg", "synth", "flood", "--preset", "tiny"]
    assert first.shown == ("made 16 files in ... s",)
    assert first.exit_code == 0
    assert isinstance(second, tour.Command)
    assert second.exit_code == 1
    assert third == tour.File("mine.yaml", "name: mine\n")


@pytest.mark.parametrize(
    ("shown", "missing"),
    [
        (("made 16 files in ... s",), []),
        (("made 17 files in ... s",), ["made 17 files in ... s"]),
        (("made   16",), []),
        (("...",), []),
        (("files made",), ["files made"]),
    ],
)
def test_what_the_tour_shows_must_be_printed(shown: tuple[str, ...], missing: list[str]) -> None:
    assert tour.lacking(shown, "begin\nmade 16  files in 2.5 s\nend") == missing
