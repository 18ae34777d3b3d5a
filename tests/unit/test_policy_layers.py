"""Where a policy comes from, and how a mistake in one is told."""

from pathlib import Path

import pytest

from reexec import ComparisonRule, Executor, Policy, PolicyError, ReexecError, UsageError, load_policy
from reexec.policies.layers import preset_names
from reexec.policies.model import Limits
from reexec.policies.size import SizeRule


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_is_called_by_its_name(name: str) -> None:
    policy = Policy.preset(name)
    assert policy.name == name
    assert policy.digest == load_policy(name).digest
    assert len(policy.digest) == 32


def test_presets_differ_in_their_digest() -> None:
    assert len({Policy.preset(name).digest for name in preset_names()}) == len(preset_names()) >= 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("limits.cpu_seconds=2", r"unknown key 'cpu_seconds', did you mean 'cpu_s'\? at \$\.limits\.cpu_seconds"),
        ("limit.cpu_s=2", r"unknown key 'limit', did you mean 'limits'\? at \$\.limit"),
        ("limits.zzzz=2", r"unknown key 'zzzz', known keys: .*cpu_s, .*wall_s, at \$\.limits\.zzzz"),
        ("comparison.rtoll=1", r"unknown key 'rtoll', did you mean 'rtol'\? at \$\.comparison\.rtoll"),
        ("isolation.lowest=docker", r"\(given: 'docker'\), at \$\.isolation\.lowest"),
        ("limits.cpu_s=0", r"must be more than 0 \(given: 0\), at \$\.limits\.cpu_s"),
        ("limits.cpu_s=-1", r"at \$\.limits\.cpu_s"),
        ("limits.cpu_s=nan", r"at \$\.limits\.cpu_s"),
        ("limits.cpu_s=inf", r"at \$\.limits\.cpu_s"),
        ("limits.cpu_s=fast", r"number.*\(given: 'fast'\), at \$\.limits\.cpu_s"),
        ("limits.processes=0", r"at \$\.limits\.processes"),
        ("limits.processes=1.5", r"at \$\.limits\.processes"),
        ("limits.wall_s=1", r"wall_s \(1\) must be at least cpu_s \+ idle_s \(10\).*at \$\.limits"),
        ("comparison=nearly", r"no comparison rule 'nearly'.*at \$\.comparison"),
        ("prelude=3", r"at \$\.prelude"),
    ],
)
def test_a_mistake_is_one_line_that_ends_with_its_path(setting: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        load_policy("codeio", settings=[setting])
    assert "\n" not in str(caught.value)


def test_a_mistake_begins_with_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[limits]\ncpu_s = -1\noutput_bytes = 'much'\n")
    with pytest.raises(PolicyError, match=rf"^{file}: must be more than 0"):
        load_policy(file)
    environment = {"REEXEC_POLICY": "limits.cpu_s=0"}
    with pytest.raises(PolicyError, match=r"^REEXEC_POLICY limits.cpu_s=0: must be more than 0"):
        load_policy(file, environment=environment)
    with pytest.raises(PolicyError, match=r"^--set limits.cpu_s=slow: expected a number \(given: 'slow'\)"):
        load_policy(file, environment=environment, settings=["limits.cpu_s=slow"])


@pytest.mark.parametrize("setting", ["limits.cpu_s", "=3", "limits..cpu_s=3", ""])
def test_a_setting_that_is_none_says_how_to_write_one(setting: str) -> None:
    with pytest.raises(PolicyError, match=r"write it as limits\.cpu_s=2"):
        load_policy("codeio", settings=[setting])


def test_an_unknown_preset_names_the_nearest_and_all() -> None:
    with pytest.raises(
        PolicyError, match=r"no policy 'codoi': did you mean 'codeio'\? presets are codeio, .*numeric, .*strict"
    ):
        load_policy("codoi")


def test_settings_are_typed_as_toml_and_a_bare_word_is_text() -> None:
    policy = load_policy(
        "codeio",
        settings=["limits.cpu_s=2", "numpy_values=false", "name=mine", 'warm=["numpy"]', "limits.memory_bytes=33_554_432"],
    )
    assert policy.limits.cpu_s == 2
    assert policy.numpy_values is False
    assert policy.name == "mine"
    assert policy.warm == ("numpy",)
    assert policy.limits.memory_bytes == 32 << 20


@pytest.mark.parametrize(
    ("text", "in_bytes"),
    [
        ("4GB", 4 * 1000**3), ("512MiB", 512 << 20), ("512 MiB", 512 << 20), ("1.5GiB", 3 << 29), ("0.1GB", 100_000_000),
        ("2gib", 2 << 30), ("64mb", 64_000_000), ("33554432", 32 << 20), ("33_554_432", 32 << 20), ("33554432B", 32 << 20),
        ("20000KiB", 20000 << 10), ("20000kB", 20_000_000), ("1TB", 10**12), ("1TiB", 1 << 40),
    ],
)  # fmt: skip
def test_bytes_may_have_a_unit_in_settings_and_in_toml(text: str, in_bytes: int, tmp_path: Path) -> None:
    setting = f"limits.memory_bytes={text}"
    assert load_policy("codeio", settings=[setting]).limits.memory_bytes == in_bytes
    file = write(tmp_path, "p.toml", f'extends = "codeio"\n[limits]\nmemory_bytes = "{text}"\n')
    assert load_policy(file).limits.memory_bytes == in_bytes
    assert load_policy(file).digest == load_policy("codeio", settings=[f"limits.memory_bytes={in_bytes}"]).digest


def test_every_field_in_bytes_takes_a_unit_and_no_other_field_does() -> None:
    for table, model in (("limits", Limits), ("size", SizeRule)):
        for name, field in model.model_fields.items():
            if field.annotation is not int:
                continue
            least = next((part.ge for part in field.metadata if hasattr(part, "ge")), 0)
            setting = f"{table}.{name}={max(1, -(-least // 1024))}KiB"
            if "bytes" in name:
                assert getattr(getattr(load_policy("codeio", settings=[setting]), table), name) % 1024 == 0
            else:
                with pytest.raises(PolicyError, match=rf"at \$\.{table}\.{name}"):
                    load_policy("codeio", settings=[setting])


@pytest.mark.parametrize("text", ["4XB", "GB", "-4GB", "4 G B", "1e9", "4G", "4GBit", "٤GB", "4.GB", "0x10MB", "9" * 50 + "B"])
def test_what_is_no_number_of_bytes_says_how_to_write_one(text: str) -> None:
    with pytest.raises(PolicyError, match=r"write it as 4GB .*, 512MiB .*, at \$\.limits\.memory_bytes$") as caught:
        load_policy("codeio", settings=[f'limits.memory_bytes="{text}"'])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_bytes_out_of_bounds_and_parts_of_bytes_are_refused() -> None:
    with pytest.raises(PolicyError, match=r"must be 16777216 or more .*at \$\.limits\.memory_bytes"):
        load_policy("codeio", settings=["limits.memory_bytes=4kB"])
    with pytest.raises(PolicyError, match=r"'1\.0005kB' is not a whole number of bytes, at \$\.limits\.output_bytes"):
        load_policy("codeio", settings=["limits.output_bytes=1.0005kB"])


def test_layers_win_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", 'extends = "strict"\n[limits]\ncpu_s = 3.0\nidle_s = 3.0\n')
    assert load_policy("codeio").limits.cpu_s == 5.0
    assert load_policy("strict").limits.cpu_s == 2.0
    from_file = load_policy(path)
    assert (from_file.limits.cpu_s, from_file.limits.idle_s) == (3.0, 3.0)
    assert from_file.limits.open_files == Policy.preset("strict").limits.open_files
    environment = {"REEXEC_POLICY": "limits.cpu_s=4 limits.idle_s=4"}
    assert load_policy(path, environment=environment).limits.cpu_s == 4
    both = load_policy(path, environment=environment, settings=["limits.cpu_s=6"])
    assert (both.limits.cpu_s, both.limits.idle_s) == (6, 4)


def test_the_environment_may_name_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, "p.toml", "[limits]\ncpu_s = 7.0\n")
    assert load_policy("strict", environment={"REEXEC_POLICY": path}).limits.cpu_s == 7.0
    assert load_policy("strict", environment={"REEXEC_POLICY": path}).limits.open_files == 32
    with pytest.raises(PolicyError, match=r"none\.toml: no such file$"):
        load_policy("strict", environment={"REEXEC_POLICY": str(tmp_path / "none.toml")})


def test_the_environment_of_the_process_counts_only_where_it_is_given() -> None:
    assert load_policy("codeio", environment=None) == load_policy("codeio", environment={}) == Policy.preset("codeio")


def test_extends_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path, "base.toml", 'extends = "codeio"\n[limits]\ncpu_s = 8.0\n')
    below = tmp_path / "below"
    below.mkdir()
    path = write(below, "child.toml", 'extends = "../base.toml"\nname = "child"\n')
    assert (load_policy(path).limits.cpu_s, load_policy(path).name) == (8.0, "child")


def test_policies_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", 'extends = "b.toml"\n')
    path = write(tmp_path, "b.toml", 'extends = "a.toml"\n')
    with pytest.raises(PolicyError, match=r"extend each other, at \$\.extends"):
        load_policy(path)


@pytest.mark.parametrize("base", ["3", "[]", "true"])
def test_extends_that_is_no_text_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(PolicyError, match=r"at \$\.extends"):
        load_policy(write(tmp_path, "p.toml", f"extends = {base}\n"))


@pytest.mark.parametrize("text", ["[limits", "\x00", "a = ", "limits = {cpu_s = }"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError, match=r"p\.toml: not a TOML file"):
        load_policy(write(tmp_path, "p.toml", text))


def test_a_folder_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r": is a folder; expected a TOML file$"):
        load_policy(str(tmp_path))
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="not a TOML file"):
        load_policy(path)


def test_a_comparison_preset_can_be_refined() -> None:
    policy = load_policy("numeric", settings=["comparison.rtol=0.01"])
    assert policy.comparison.rtol == 0.01
    assert policy.comparison.atol == Policy.preset("numeric").comparison.atol
    assert policy.digest != Policy.preset("numeric").digest


def test_a_policy_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Policy.preset("codeio").name = "other"


def test_every_mistake_of_the_caller_has_one_root() -> None:
    for mistake in (lambda: Policy.preset("nope"), lambda: ComparisonRule.preset("nope"), lambda: Executor("nope")):
        with pytest.raises(ReexecError, match="'nope'") as caught:
            mistake()
        assert isinstance(caught.value, UsageError)
        assert isinstance(caught.value, ValueError)


def test_the_backstop_is_far_away_unless_it_is_given() -> None:
    limits = load_policy("codeio", settings=["limits.cpu_s=2", "limits.idle_s=3"]).limits
    assert limits.backstop_s == 60 * 2 + 3
    assert load_policy("codeio", settings=["limits.wall_s=11"]).limits.backstop_s == 11
    with pytest.raises(PolicyError, match=r"at least cpu_s \+ idle_s"):
        load_policy("codeio", settings=["limits.cpu_s=2", "limits.idle_s=3", "limits.wall_s=4.9"])
