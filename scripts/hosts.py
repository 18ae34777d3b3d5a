"""Tries reexec in the places where users are, each made here and gone afterwards. Run it as root, with debootstrap installed:

    .venv/bin/python scripts/hosts.py [PLACE...]

In each place `reexec call` must be accepted and a small `reexec verify` must give the words it gives on this host, on the
strongest isolation level that the place can give; the same call on each of its isolation levels; and one line where an
isolation level is refused. Prints a
table; exit code 1 where something was not as expected. docs/hosts.md has the results.
"""

import ctypes
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
NOBODY = 65534
PACKAGES = "libssl3,libffi8,zlib1g,libbz2-1.0,liblzma5,libsqlite3-0,libreadline8,libncursesw6,libnl-route-3-200,libuuid1"
# What root has in a container that nobody gave more (chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
# net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap): numbers of linux/capability.h.
CONTAINER_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
LIBC = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REC, MS_PRIVATE, MS_REMOUNT, MS_RDONLY = 4096, 16384, 1 << 18, 32, 1


@dataclass
class Place:
    name: str
    what: str
    levels: tuple[str, ...]
    """Isolation levels that it must give, strongest first."""
    refused: tuple[str, ...] = ()
    """Isolation levels that it must refuse, with one line and exit code 3."""
    enter: Callable[[Path], None] = lambda folder: None  # noqa: ARG005
    """Run in the child, as root, before the program."""
    prepare: Callable[[Path], None] = lambda folder: None  # noqa: ARG005
    """Run here, once."""
    python: str = ""
    environment: dict[str, str] = field(default_factory=dict)


def check(done: int, what: str) -> None:
    if done != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str | Path, target: str | Path, flags: int, kind: str = "none", data: str | None = None) -> None:
    names = [os.fsencode(str(part)) for part in (source, target, kind)]
    check(LIBC.mount(*names, ctypes.c_ulong(flags), None if data is None else data.encode()), f"mount {target}")


def own_mounts() -> None:
    check(LIBC.unshare(0x20000), "unshare")
    mount("none", "/", MS_REC | MS_PRIVATE)


def become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def show_interpreter() -> None:
    """Lets everybody go to the interpreter, in this place only: where it is closed, an open folder is put over."""
    prefix = Path(subprocess.check_output([PYTHON, "-c", "import sys; print(sys.base_prefix)"], text=True).strip())
    closed = next((folder for folder in reversed(prefix.parents) if not folder.stat().st_mode & 1), None)
    if closed is None:
        return
    kept = Path(tempfile.mkdtemp(prefix="reexec-kept-"))
    mount(prefix, kept, MS_BIND | MS_REC)
    mount("tmpfs", closed, 0, "tmpfs", "mode=0755")
    prefix.mkdir(parents=True)
    mount(kept, prefix, MS_BIND | MS_REC)


def forbid_user_namespaces() -> None:
    """What the usual filter of containers does: EPERM for unshare, mounts and clone with CLONE_NEWUSER, ENOSYS for clone3."""
    rows = {"unshare": 272, "setns": 308, "mount": 165, "open_tree": 428, "move_mount": 429}
    if os.uname().machine != "x86_64":
        rows = {"unshare": 97, "setns": 268, "mount": 40, "open_tree": 428, "move_mount": 429}
    clone = 56 if os.uname().machine == "x86_64" else 220

    def op(code: int, constant: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("<HBBI", code, yes, no, constant)

    refuse, allow = op(0x06, 0x50001), op(0x06, 0x7FFF0000)
    program = op(0x20, 0)
    for number in rows.values():
        program += op(0x15, number, 0, 1) + refuse
    program += op(0x15, 435, 0, 1) + op(0x06, 0x50000 | 38)
    program += op(0x15, clone, 0, 3) + op(0x20, 16) + op(0x45, 0x10000000, 0, 1) + refuse + allow
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    check(LIBC.prctl(38, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)), "no_new_privs")
    check(LIBC.prctl(22, ctypes.c_ulong(2), header, ctypes.c_ulong(0), ctypes.c_ulong(0)), "filter")


def keep_container_capabilities() -> None:
    for number in range(64):
        if number not in CONTAINER_CAPABILITIES and LIBC.prctl(24, ctypes.c_ulong(number), 0, 0, 0) != 0:
            break


# -- the places -----------------------------------------------------------------------------------------------


def as_nobody(_folder: Path) -> None:
    own_mounts()
    show_interpreter()
    become(NOBODY)


def make_chroot(folder: Path) -> None:
    root = folder / "root"
    if shutil.which("debootstrap") is None:
        sys.exit("hosts.py: debootstrap is not installed; type: apt-get install debootstrap")
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root], check=True, stdout=subprocess.DEVNULL
    )


def enter_chroot(folder: Path) -> None:
    root = Path(KEPT_ROOT or folder / "root")
    own_mounts()
    mount(root, root, MS_BIND)
    prefix = Path(subprocess.check_output([PYTHON, "-c", "import sys; print(sys.base_prefix)"], text=True).strip())
    for source in (prefix, ROOT, folder / "work"):
        target = root / str(source).lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        mount(source, target, MS_BIND | MS_REC)
    for parent in prefix.parents[:-1]:
        (root / str(parent).lstrip("/")).chmod(0o755)
    for device in ("null", "zero", "random", "urandom"):
        target = root / "dev" / device
        target.touch()
        mount(f"/dev/{device}", target, MS_BIND)
    os.chroot(root)
    os.chdir("/")
    assert not Path("/proc/self").exists()


def container_as_root(folder: Path) -> None:
    enter_chroot(folder)
    keep_container_capabilities()
    forbid_user_namespaces()
    os.setresuid(0, 0, 0)


def container_as_user(folder: Path) -> None:
    enter_chroot(folder)
    become(1000)
    forbid_user_namespaces()


def read_only_tmp(_folder: Path) -> None:
    own_mounts()
    mount("/tmp", "/tmp", MS_BIND)  # noqa: S108
    mount("none", "/tmp", MS_BIND | MS_REMOUNT | MS_RDONLY)  # noqa: S108


def few_descriptors(_folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def small_address_space(_folder: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or hard > 2 << 30:  # a host that allows less is such a place already
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))


def make_closed_home(folder: Path) -> None:
    home = folder / "home"
    home.mkdir(mode=0o700)
    base = subprocess.check_output([PYTHON, "-c", "import sys; print(sys._base_executable)"], text=True).strip()
    subprocess.run([base, "-m", "venv", "--without-pip", home / "venv"], check=True)


def closed_home(folder: Path) -> None:
    os.umask(0o077)
    os.chdir(folder / "home")


def closed_home_of_nobody(folder: Path) -> None:
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", folder / "home"], check=True)
    as_nobody(folder)
    os.umask(0o077)
    os.chdir(folder / "home")


ALL = ("nsjail+cgroup", "nsjail", "restricted")
PLACES = [
    Place("root", "root on this host", ALL),
    Place("nobody", "an ordinary user", ("nsjail", "restricted"), ("nsjail+cgroup",), as_nobody),
    Place(
        "container-root",
        "root of a container: chroot without /proc, no user namespaces, no mounts, a container's capabilities",
        ("restricted",),
        ("nsjail+cgroup", "nsjail"),
        container_as_root,
        make_chroot,
    ),
    Place(
        "container-user",
        "an ordinary user in the same container",
        ("restricted",),
        ("nsjail+cgroup", "nsjail"),
        container_as_user,
        make_chroot,
    ),
    Place("tmp-read-only", "the folder for temporary files is read-only", ALL, (), read_only_tmp),
    Place("few-descriptors", "64 open descriptors (ulimit -n 64)", ALL, (), few_descriptors),
    Place("small-address-space", "2 GB of address space (ulimit -v)", ALL, (), small_address_space),
    Place("closed-home", "interpreter and programs in a home that others cannot enter, umask 077", ALL, (), closed_home,
          make_closed_home, "home/venv/bin/python"),
    Place("closed-home-nobody", "the same as an ordinary user", ("nsjail", "restricted"), (), closed_home_of_nobody,
          make_closed_home, "home/venv/bin/python"),
]  # fmt: skip


CALL = ["--entry", "f", "--input", '{"n": 4}', "--expect", "[5, false]"]
KEPT_ROOT = os.environ.get("REEXEC_HOSTS_ROOT")  # a debootstrap of an earlier run
ON_LEVEL = """
import json, os, sys
from reexec import Executor, Program, load_policy
isolation, python, file = sys.argv[1:]
settings = os.environ.get("REEXEC_POLICY", "").split()
policy = load_policy("codeio", settings=[*settings, f'isolation.lowest="{isolation}"'])
with Executor(policy, workers=1, python=python or None, isolation=isolation) as executor:
    print(json.dumps({"verdict": executor.check(Program(open(file).read(), "f"), {"n": 4}, [5, False]).word}))
"""


def run(
    place: Place, folder: Path, arguments: list[str], python_arguments: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    def enter() -> None:
        place.enter(folder)

    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder / "work"), "LANG": "C.UTF-8", "COLUMNS": "200"}
    environment |= {name: os.environ[name] for name in ("REEXEC_POLICY", "MALLOC_ARENA_MAX") if name in os.environ}
    return subprocess.run(
        [PYTHON, "-B", *(python_arguments or ["-m", "reexec.cli.main"]), *arguments],
        preexec_fn=enter,
        env=environment | place.environment,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )


def last_json(text: str) -> dict[str, object]:
    try:
        found = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def by_command(place: Place, folder: Path, expected_words: dict[str, int]) -> tuple[str, bool]:
    """What came of `reexec call` and of a small `reexec verify` under a policy that takes any isolation level of the place."""
    work = folder / "work"
    accept = ["--set", f"isolation.lowest={place.levels[-1]}"]
    python = ["--python", str(folder / place.python)] if place.python else []
    done = run(place, folder, ["call", str(work / "program.py"), *CALL, *accept, *python])
    report = last_json(done.stdout)
    if done.returncode != 0 or report.get("verdict") != "accepted" or report.get("isolation") != place.levels[0]:
        return f"call: exit {done.returncode}, {report.get('verdict')} on {report.get('isolation')}: {last_line(done)}", False
    output = work / f"verified-{place.name}.jsonl"
    done = run(place, folder, ["verify", *verify_files(output), *accept, *python])
    summary = last_json(done.stdout)
    words = summary.get("verdicts")
    if done.returncode not in (0, 1) or words != expected_words:
        return f"verify: exit {done.returncode}, {words}: {last_line(done)}", False
    return f"call accepted; verify as on this host, {summary.get('rows_per_s')} rows/s", True


def by_isolation(place: Place, folder: Path, isolation: str) -> tuple[str, bool]:
    """The same call on one isolation level and no other."""
    python = str(folder / place.python) if place.python else ""
    done = run(place, folder, [], ["-c", ON_LEVEL, isolation, python, str(folder / "work" / "program.py")])
    report = last_json(done.stdout)
    return f"{report.get('verdict')} {last_line(done) if done.returncode else ''}", report.get("verdict") == "accepted"


def refuses(place: Place, folder: Path, isolation: str) -> tuple[str, bool]:
    program = str(folder / "work" / "program.py")
    done = run(place, folder, ["call", program, *CALL, "--set", f"isolation.lowest={isolation}"])
    line = done.stderr.strip()
    return f"exit {done.returncode}: {line}", done.returncode == 3 and len(line.splitlines()) == 1


def main(names: list[str]) -> int:
    if os.geteuid() != 0:
        sys.exit("hosts.py: places are made by root")
    chosen = [place for place in PLACES if not names or place.name in names]
    failures = 0
    # Not below /tmp, which one place makes read-only, and open to all: the places have users of their own.
    with tempfile.TemporaryDirectory(prefix="reexec-hosts-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        work = folder / "work"
        work.mkdir()
        work.chmod(0o777)
        (work / "program.py").write_text("import os\ndef f(n):\n    return [n + 1, os.getuid() == 0]\n")
        prepared: set[Callable[[Path], None]] = set()
        for place in chosen:
            if place.prepare not in prepared and not (place.prepare is make_chroot and KEPT_ROOT):
                prepared.add(place.prepare)
                place.prepare(folder)
            tried = [("any", by_command(place, folder, words_here(place, folder)))]
            tried += [(isolation, by_isolation(place, folder, isolation)) for isolation in place.levels]
            tried += [(isolation, refuses(place, folder, isolation)) for isolation in place.refused]
            for isolation, (told, fine) in tried:
                failures += not fine
                print(f"{'ok  ' if fine else 'FAIL'} {place.name:20} {isolation:14} {told}", flush=True)
    return 1 if failures else 0


def words_here(place: Place, folder: Path) -> dict[str, int]:
    """Verdicts of the small verify on this host as it is, with the place's interpreter."""
    python = ["--python", str(folder / place.python)] if place.python else []
    here = run(Place("here", "", ()), folder, ["verify", *verify_files(folder / "work" / "verified-here.jsonl"), *python])
    words = last_json(here.stdout)["verdicts"]
    assert isinstance(words, dict)
    return words


def verify_files(output: Path) -> list[str]:
    files = [str(ROOT / "examples/responses.jsonl"), "--functions", str(ROOT / "examples/functions.jsonl"), "-o", str(output)]
    small = ["--limit", "40", "--workers", "2", "--overwrite", "--json"]
    return [*files, *small, "--set", "limits.cpu_s=1", "--set", "limits.idle_s=1"]


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    return ((done.stderr or done.stdout).strip().splitlines() or ["nothing said"])[-1][:400]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
