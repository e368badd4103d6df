"""The scripts set a checkout up from the states that a new machine is found in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOLS = ("awk", "cat", "cut", "dirname", "head", "mv", "mkdir", "pwd", "rm", "sh", "sha256sum")
TOOLS += ("sort", "tail", "tr")
PYTHON = getattr(sys, "_base_executable", sys.executable)


def executable(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def answers(version: str, *, tested: bool = True) -> str:
    """A stand-in for a Python of that version, which says what the probe would print there."""
    major, minor, micro = version.split(".")
    return f'echo "{int(tested)} {major} {minor} {micro} $0"'


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH of its own, with what the scripts call and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, f"{name} is needed by the scripts"
        (folder / name).symlink_to(found)
    return folder


def run(
    *command: object, path: str | Path, cwd: Path | None = None, **env: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        env={"PATH": str(path)} | {name: str(value) for name, value in env.items()},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class TestPython:
    @pytest.fixture
    def finder(self, root: Path) -> Path:
        return root / "script" / "python"

    def test_a_real_one_is_found_behind_a_shim_that_fails(
        self, finder: Path, tools: Path, tmp_path: Path
    ) -> None:
        executable(
            tools / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127"
        )
        elsewhere = tmp_path / "my pythons" / "bin"
        elsewhere.mkdir(parents=True)
        (elsewhere / "python3.12").symlink_to(PYTHON)

        result = run(finder, elsewhere, path=tools)

        assert result.returncode == 0, result.stderr
        version = run(result.stdout.strip(), "-c", "import sys; print(sys.version)", path=tools)
        assert version.stdout.strip() == sys.version

    @pytest.mark.parametrize(
        ("setting", "folder"),
        [
            ("PYENV_ROOT", "versions/3.13.99/bin"),
            ("HOME", ".pyenv/versions/3.13.99/bin"),
            ("HOME", ".local/share/uv/python/cpython-3.13.99-linux/bin"),
            ("HOME", ".local/bin"),
        ],
    )
    def test_the_usual_places_are_looked_in(
        self, finder: Path, tools: Path, tmp_path: Path, setting: str, folder: str
    ) -> None:
        there = executable(tmp_path / "a b" / folder / "python3.13", answers("3.13.99"))

        result = run(finder, path=tools, **{setting: tmp_path / "a b"})

        assert result.stdout.strip() == str(there)

    @pytest.mark.parametrize(
        ("versions", "chosen"),
        [
            (["3.12.9", "3.13.0"], "3.13.0"),
            (["3.12.10", "3.12.9"], "3.12.10"),
            (["3.12.1", "3.14.2"], "3.12.1"),
            (["3.14.2", "3.15.0"], "3.15.0"),
        ],
    )
    def test_the_newest_of_the_tested_ones_is_taken(
        self, finder: Path, tools: Path, tmp_path: Path, versions: list[str], chosen: str
    ) -> None:
        for version in versions:
            minor = version.rpartition(".")[0]
            executable(
                tmp_path / version / f"python{minor}", answers(version, tested=minor < "3.14")
            )

        result = run(finder, *(tmp_path / version for version in versions), path=tools)

        assert Path(result.stdout.strip()).parent.name == chosen

    def test_one_without_its_standard_library_is_passed_over(
        self, finder: Path, tools: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "sqlite3.py").write_text("raise ImportError('built without libsqlite3-dev')")
        executable(tmp_path / "bin" / "python3.13", f'PYTHONPATH={tmp_path} exec "{PYTHON}" "$@"')

        assert run(finder, tmp_path / "bin", path=tools).returncode == 1

        (tmp_path / "sqlite3.py").unlink()
        assert run(finder, tmp_path / "bin", path=tools).returncode == 0

    def test_where_there_is_none_it_says_what_to_install(
        self, finder: Path, tools: Path, tmp_path: Path
    ) -> None:
        executable(tools / "python3", 'test "$1" = --version && echo Python 3.11.2')

        result = run(finder, tmp_path, path=tools)

        assert result.returncode == 1
        assert result.stdout == ""
        assert "Python 3.12 or newer" in result.stderr
        assert "Python 3.11.2" in result.stderr
        assert "pyenv install" in result.stderr
        assert "uv python install" in result.stderr

    def test_it_needs_no_home(self, finder: Path, tools: Path) -> None:
        (tools / "python3").symlink_to(PYTHON)

        result = run(finder, path=tools)

        assert result.returncode == 0, result.stderr


class TestBootstrap:
    """Against a stand-in for uv that notes how it was called; the real one is in TestNewMachine."""

    @pytest.fixture
    def checkout(self, root: Path, tmp_path: Path) -> Path:
        checkout = tmp_path / "check out"
        (checkout / "script").mkdir(parents=True)
        for name in ("script/bootstrap", "script/python", "pyproject.toml", "uv.lock"):
            shutil.copy(root / name, checkout / name)
        return checkout

    @pytest.fixture
    def uv(self, tools: Path, tmp_path: Path) -> Path:
        """Its calls, one a line."""
        calls = tmp_path / "calls"
        calls.touch()
        (tools / "python3").symlink_to(PYTHON)
        (tools / "ln").symlink_to(shutil.which("ln") or "")
        executable(
            tools / "uv",
            f"""
            [ "$1" = --version ] && {{ echo "uv 0.13.9 (x86_64)"; exit; }}
            echo "$* with $UV_PYTHON, downloads $UV_PYTHON_DOWNLOADS" >>'{calls}'
            [ -z "${{BROKEN:-}}" ] || exit 2
            mkdir -p .venv/bin && ln -sf "$UV_PYTHON" .venv/bin/python
            """,
        )
        return calls

    def test_it_follows_the_lock_with_the_python_found(
        self, checkout: Path, tools: Path, uv: Path, tmp_path: Path
    ) -> None:
        result = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)

        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines()[-1] == "bootstrap: ready"
        found = run("script/python", path=tools, cwd=checkout, HOME=tmp_path).stdout.strip()
        assert uv.read_text() == f"sync --frozen --quiet with {found}, downloads never\n"

    def test_the_second_time_it_does_nothing_at_once(
        self, checkout: Path, tools: Path, uv: Path, tmp_path: Path
    ) -> None:
        run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)
        before = uv.read_text()

        began = time.monotonic()
        result = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)

        assert time.monotonic() - began < 1
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        assert uv.read_text() == before

    def test_it_is_done_again_when_the_lock_the_place_or_the_environment_changes(
        self, checkout: Path, tools: Path, uv: Path, tmp_path: Path
    ) -> None:
        def calls() -> int:
            result = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)
            assert result.returncode == 0, result.stderr
            return len(uv.read_text().splitlines())

        assert calls() == 1
        with (checkout / "uv.lock").open("a") as lock:
            lock.write("\n")
        assert calls() == 2
        checkout = checkout.rename(tmp_path / "moved")
        assert calls() == 3
        (checkout / ".venv/bin/python").unlink()
        assert calls() == 4
        assert calls() == 4

    def test_the_python_named_by_hand_is_taken(
        self, checkout: Path, tools: Path, uv: Path, tmp_path: Path
    ) -> None:
        mine = tmp_path / "mine"
        mine.symlink_to(PYTHON)

        run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path, UV_PYTHON=mine)

        assert f"with {mine}," in uv.read_text()

    def test_a_failure_is_not_taken_for_done(
        self, checkout: Path, tools: Path, uv: Path, tmp_path: Path
    ) -> None:
        broken = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path, BROKEN=1)
        mended = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)

        assert broken.returncode == 2
        assert "ready" not in broken.stdout
        assert mended.returncode == 0
        assert len(uv.read_text().splitlines()) == 2

    @pytest.fixture
    def npm(self, checkout: Path, tools: Path, uv: Path, tmp_path: Path) -> Path:
        """Its calls, one a line, and a stand-in for what makes the outlines."""
        calls = tmp_path / "npm calls"
        calls.touch()
        for name in ("npm/package-lock.json", "src/thalweg/hexagons/data/none"):
            (checkout / name).parent.mkdir(parents=True)
            (checkout / name).touch()
        (checkout / "script/outlines").write_text("print('outlines made')")
        (checkout / "script/web").write_text("")
        fault = '[ -z "${OFFLINE:-}" ] || { echo "npm error no network" >&2; exit 1; }'
        executable(tools / "npm", f"echo \"$*\" >>'{calls}'; {fault}")
        return calls

    def test_outlines_are_made_once_from_what_npm_fetches(
        self, checkout: Path, tools: Path, npm: Path, tmp_path: Path
    ) -> None:
        first = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)
        again = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)

        assert first.returncode == 0, first.stderr
        assert "outlines made" in first.stdout
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
        assert (
            npm.read_text()
            == "ci --prefix npm --ignore-scripts --loglevel error --no-update-notifier\n"
        )

    def test_outlines_are_made_later_where_npm_was_missing_or_had_no_network(
        self, checkout: Path, tools: Path, npm: Path, tmp_path: Path
    ) -> None:
        there = tools / "npm"
        there.rename(tmp_path / "npm")
        without = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)
        (tmp_path / "npm").rename(there)
        offline = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path, OFFLINE=1)
        after = run("script/bootstrap", path=tools, cwd=checkout, HOME=tmp_path)

        assert (without.returncode, offline.returncode, after.returncode) == (0, 0, 0)
        assert "apt-get install npm" in without.stdout
        assert "npm error no network" in offline.stderr
        assert "no outlines of countries" in offline.stderr
        assert "outlines made" in after.stdout

    def test_without_uv_and_pip_it_says_what_to_install(
        self, checkout: Path, tools: Path, tmp_path: Path
    ) -> None:
        executable(tools / "uv", "echo uv 0.4.0")
        executable(tools / "python3.13", f'test "$1" = -m && exit 1; exec "{PYTHON}" "$@"')

        result = run("script/bootstrap", path=tools, cwd=checkout, UV_PYTHON=tools / "python3.13")

        assert result.returncode == 1
        assert "python3-pip" in result.stderr


@pytest.mark.slow
class TestNewMachine:
    """From a clean copy, with the system's own PATH, to tests that run; packages are fetched."""

    CONFIGURATION = ("PIP_", "SSL_", "REQUESTS_", "HTTP", "http", "UV_INDEX", "UV_DEFAULT_INDEX")

    @pytest.fixture
    def checkout(self, root: Path, tmp_path: Path) -> Path:
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (root / name).is_file():
                (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, tmp_path / "checkout" / name)
        return tmp_path / "checkout"

    @pytest.fixture
    def machine(self, tmp_path: Path) -> dict[str, str]:
        """Only the system's Python on PATH, this one where pyenv would have it."""
        versions = tmp_path / "pyenv" / "versions" / "3.x" / "bin"
        versions.mkdir(parents=True)
        (versions / f"python3.{sys.version_info.minor}").symlink_to(PYTHON)
        kept = {k: v for k, v in os.environ.items() if k.startswith(self.CONFIGURATION)}
        return kept | {"HOME": os.environ["HOME"], "PYENV_ROOT": str(tmp_path / "pyenv")}

    def test_one_command_sets_up_and_runs_the_tests(
        self, checkout: Path, machine: dict[str, str]
    ) -> None:
        result = run("script/test", "--version", path="/usr/bin:/bin", cwd=checkout, **machine)

        assert result.returncode == 0, result.stderr
        assert "pytest" in result.stdout
        helped = run(".venv/bin/thalweg", "--help", path="/usr/bin:/bin", cwd=checkout, **machine)
        assert helped.returncode == 0, helped.stderr

    def test_the_chosen_python_stays_when_pip_comes_from_another(
        self, checkout: Path, machine: dict[str, str], tmp_path: Path
    ) -> None:
        with_pip = tmp_path / "bin" / "python3"
        executable(with_pip, f'exec "{PYTHON}" "$@"')
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)

        path = f"{with_pip.parent}:/usr/bin:/bin"
        result = run("script/bootstrap", path=path, cwd=checkout, **machine)

        assert result.returncode == 0, result.stderr
        assert "fetching uv" in result.stderr
        assert "with .venv/bin/python" in result.stdout
