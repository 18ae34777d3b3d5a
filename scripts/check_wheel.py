"""Builds sdist and wheel, installs the wheel into a clean environment and uses it there, away from the checkout.

    python scripts/check_wheel.py [FOLDER]    FOLDER keeps what was built

src/reexec is links to the folders beside it, which packaging tools treat in many ways: only the installed wheel shows
that every module, preset, template and example is in it. Exits 1 with the first thing that is not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / "scripts" / "uv"
FOLDERS = ("policies/", "engine/", "runners/", "cli/", "examples/")
LEFT_OUT = ("examples/functions/", "examples/raw/", "examples/unified/")  # what the .jsonl files are built from
LEFT_OUT += ("examples/graders/packages/",)  # programs that are to be graded

# Runs on the Python of the clean environment; argv[1:] are the modules that the wheel holds.
USE_IT = r"""
import importlib, re, sys
from importlib.metadata import requires
from importlib.resources import files

# What only an extra brings is not here; modules that need it must fail for that and nothing else.
of_extras = {re.match(r"[\w.-]+", line).group() for line in requires("reexec") if "extra ==" in line} | {"starlette"}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0].replace("_", "-") not in of_extras:
            raise

import reexec
from reexec import ComparisonRule, load_policy
from reexec.policies.layers import preset_names
from reexec.policies.comparison import comparison_preset_names

assert "site-packages" in reexec.__file__, reexec.__file__
presets, rules = preset_names(), comparison_preset_names()
assert presets and rules
for name in presets:
    load_policy(name)
for name in rules:
    ComparisonRule.preset(name)
templates = [entry for entry in (files("reexec.runners") / "templates").iterdir() if entry.is_file()]
assert templates
for template in templates:
    assert template.read_text(encoding="utf-8").strip(), template
    if template.name.endswith(".toml"):
        importlib.import_module("tomllib").loads(template.read_text(encoding="utf-8"))
examples = "functions.jsonl responses.jsonl raw.jsonl unified.jsonl answers.jsonl pipeline.toml local.toml answer.schema.json"
for name in examples.split():
    assert (files("reexec.examples") / name).read_text(encoding="utf-8").strip(), name
counts = {"modules": sys.argv[1:], "policies": presets, "comparison rules": rules, "templates": templates}
print(", ".join(f"{len(found)} {what}" for what, found in counts.items()))
"""


def run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shown = " ".join(str(part) for part in command[:4])
        sys.exit(f"check_wheel: {shown} ... failed\n{done.stdout}{done.stderr}")
    return done.stdout


def copy_sources(target: Path) -> set[str]:
    """Copies what git tracks or would track: a build in the checkout itself would pick up left-overs of earlier ones.

    Returns the files that must be in the wheel.
    """
    listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    names = [name for name in listing.split("\0") if name and os.path.lexists(ROOT / name)]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return {name for name in names if name.startswith(FOLDERS) and not name.startswith(LEFT_OUT)}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="reexec-wheel-") as folder:
        base = Path(folder)
        wanted = copy_sources(base / "source")
        run(UV, "build", "--quiet", "--python", sys.executable, "--out-dir", base / "dist", base / "source", cwd=base)
        (wheel,) = (base / "dist").glob("*.whl")
        held = {name.removeprefix("reexec/") for name in zipfile.ZipFile(wheel).namelist()}
        if missing := sorted(wanted - held):
            sys.exit("check_wheel: not in the wheel: " + ", ".join(missing))
        modules = [
            "reexec." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in sorted(wanted)
            if name.endswith(".py")
        ]
        modules += [f"reexec.rewards.{path.stem}" for path in sorted((ROOT / "src" / "reexec" / "rewards").glob("[a-z]*.py"))]
        clean = base / "clean"
        python = clean / "bin" / "python"
        run(UV, "venv", "--quiet", "--python", sys.executable, clean, cwd=base)
        run(UV, "pip", "install", "--python", python, "--constraint", ROOT / "constraints.txt", wheel, cwd=base)
        print("check_wheel:", run(python, "-c", USE_IT, *modules, cwd=base).strip())
        run(clean / "bin" / "reexec", "--help", cwd=base)
        run(clean / "bin" / "reexec", "pipeline", "--init", "pipeline.toml", cwd=base)
        if len(sys.argv) > 1:
            kept = Path(sys.argv[1])
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(base / "dist", kept, ignore=shutil.ignore_patterns(".gitignore"))
            print("check_wheel:", *sorted(str(path) for path in kept.iterdir()))


if __name__ == "__main__":
    main()
