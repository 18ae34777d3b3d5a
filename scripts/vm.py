"""Tries reexec on a machine of its own: Debian's kernel and systemd, so control groups v2 alone, and a Landlock that is
older than this host's may be. Run it as root, with debootstrap and qemu-system-x86 or user-mode-linux installed:

    .venv/bin/python scripts/vm.py [--keep FOLDER] [--accelerator kvm|tcg|uml] [--memory 256M] [COMMAND...]

User-Mode Linux (`uml`) is a kernel that runs as a program: it needs no KVM and few addresses, computes at full speed, and has
one processor and no Landlock. Where this host allows a process few addresses the machine has little memory, and swaps.

Makes a Debian with this checkout, its .venv and its interpreter at the paths they have here, boots it without any network,
runs the commands as root and as an ordinary user (in a scope of its user manager, where control groups are delegated, and
without one), and prints what they print. The exit code is 1 where one of them failed, 2 where they did not come to their
end. docs/hosts.md has the results.
"""

import argparse
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
PACKAGES = [
    "libssl3", "libffi8", "zlib1g", "libbz2-1.0", "liblzma5", "libsqlite3-0", "libreadline8", "libncursesw6",
    "libnl-route-3-200", "libuuid1", "libpam-systemd",
    "systemd-sysv", "dbus", "initramfs-tools", "linux-image-cloud-amd64", "procps", "git", "make", "gzip",
]  # fmt: skip
COMMANDS = (
    "root .venv/bin/reexec doctor",
    "root .venv/bin/pytest -q -p no:cacheprovider -m '' tests/conformance tests/integration/test_cgroup.py",
    "user .venv/bin/reexec doctor",
    "user .venv/bin/reexec doctor --attack",
    "loginless .venv/bin/reexec doctor",
)
USER, UID = "somebody", 1000
_MARK = "reexec-vm:"
_UNIT = f"""[Unit]
Description=the commands of scripts/vm.py
After=systemd-user-sessions.service systemd-logind.service
[Service]
Type=oneshot
ExecStart=/bin/bash {ROOT}/vm-commands
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
[Install]
WantedBy=multi-user.target
"""


def guest_script(commands: list[str]) -> str:
    """`root COMMAND` runs in the unit's own group, `user COMMAND` in a scope of the user's manager, `loginless COMMAND` as
    the user in a group that is root's."""
    lines = [
        "export REEXEC_VM=1 LANG=C.UTF-8 COLUMNS=180 HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        f"cd {ROOT}",
        "for disk in /dev/vdb /dev/ubdb; do [ -b $disk ] && swapon $disk; done",
        f"loginctl enable-linger {USER}; sleep 3; failed=0",
        f"echo '{_MARK}' $(uname -r) $(stat -fc %T /sys/fs/cgroup)",
    ]
    as_user = f"setpriv --reuid {UID} --regid {UID} --init-groups env HOME=/home/{USER} XDG_RUNTIME_DIR=/run/user/{UID}"
    for command in commands:
        who, _, rest = command.partition(" ")
        start = {
            "root": "",
            "user": f"{as_user} systemd-run --user --scope --quiet ",
            "loginless": f"{as_user} ",
        }[who]
        told = shlex.quote(f"{_MARK} {command}")
        lines.append(f"echo {told}; {start}{rest}; code=$?; echo '{_MARK}' exit $code; [ $code = 0 ] || failed=1")
    lines.append(f"echo '{_MARK}' end $failed; sync; systemctl poweroff")
    return "\n".join(lines) + "\n"


def make_root(root: Path) -> None:
    include = ",".join(PACKAGES)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={include}", "bookworm", root], check=True, stdout=subprocess.DEVNULL
    )
    subprocess.run(["chroot", root, "useradd", "-m", "-u", str(UID), USER], check=True)


def fill(root: Path, commands: list[str]) -> None:
    prefix = Path(subprocess.check_output([PYTHON, "-c", "import sys; print(sys.base_prefix)"], text=True).strip())
    files = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-z"], text=True).split("\0")
    inside = root / str(ROOT).lstrip("/")
    shutil.rmtree(inside, ignore_errors=True)
    for name in filter(None, files):
        if (ROOT / name).exists():
            (inside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, inside / name, follow_symlinks=False)
    shutil.copytree(ROOT / ".venv", inside / ".venv", symlinks=True)
    there = root / str(prefix).lstrip("/")
    if not there.exists():
        shutil.copytree(prefix, there, symlinks=True)
    for folder in (*prefix.parents[:-1], *ROOT.parents[:-1]):  # the user must get there
        (root / str(folder).lstrip("/")).chmod(0o755)
    (inside / "vm-commands").write_text(guest_script(commands))
    subprocess.run(["chroot", root, "git", "-C", ROOT, "init", "-q"], check=True)
    (root / "etc/tmpfiles.d/tmp.conf").write_text("")  # systemd's would empty /tmp, where this checkout may lie
    unit = root / "etc/systemd/system/commands.service"
    unit.write_text(_UNIT)
    wanted = root / "etc/systemd/system/multi-user.target.wants" / unit.name
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to(f"/etc/systemd/system/{unit.name}")
    for getty in ("serial-getty@ttyS0", "getty@tty1", "console-getty"):  # it would print into the commands' lines
        masked = root / "etc/systemd/system" / f"{getty}.service"
        masked.unlink(missing_ok=True)
        masked.symlink_to("/dev/null")


def few_addresses() -> int | None:
    """The limit on the addresses of a process here, in MiB, where a machine of 6 GiB does not fit into it."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    return None if hard == resource.RLIM_INFINITY or hard > 8 << 30 else hard >> 20


def default_accelerator() -> str:
    """kvm, but not where /dev/kvm is PVM, which is for kernels made for it and interprets all others."""
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and not Path("/sys/module/kvm_pvm").exists():
        return "kvm"
    return "uml" if shutil.which("linux.uml") else "tcg"


def qemu(root: Path, disks: list[Path], accelerator: str, memory: str) -> list[str]:
    kernel, initrd = (next((root / "boot").glob(pattern)) for pattern in ("vmlinuz-*", "initrd.img-*"))
    how = {
        "kvm": ["-accel", "kvm", "-cpu", "host,-arch-capabilities"],  # a register that a nested KVM may not set
        "tcg": ["-accel", "tcg,thread=multi" + (",tb-size=48" if few_addresses() else ""), "-cpu", "max"],
    }[accelerator]
    arguments = ["qemu-system-x86_64", "-machine", "q35", *how, "-smp", str(len(os.sched_getaffinity(0))), "-m", memory]
    arguments += ["-nodefaults", "-vga", "none", "-nographic", "-no-reboot", "-serial", "stdio", "-monitor", "none"]
    for disk in disks:
        arguments += ["-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"]
    linux = "root=/dev/vda rw console=ttyS0 quiet audit=0 systemd.show_status=no"
    return [*arguments, "-kernel", str(kernel), "-initrd", str(initrd), "-append", linux]


def user_mode_linux(folder: Path, disks: list[Path], memory: str, linux: str) -> list[str]:
    arguments = [linux, f"mem={memory}", f"uml_dir={folder}", "root=/dev/ubda", "rw", "quiet", "audit=0"]
    arguments += [f"ubd{number}={disk}" for number, disk in enumerate(disks)]
    return [*arguments, "con=null", "con0=null,fd:1", "ssl=null", "systemd.show_status=no"]


def faulty_linux(linux: str) -> str:
    """What is wrong with this User-Mode Linux; empty where nothing is known. 6.1 has the fault, 7.2 has not."""
    version = subprocess.check_output([linux, "--version"], text=True).strip()
    if int(version.split(".")[0]) >= 7:
        return ""
    return (
        f"{linux} is Linux {version}: a child there keeps memory that MADV_DONTFORK should keep from it, so checks that "
        "import modules end by SIGSEGV; take Linux 7, as in Debian sid's package user-mode-linux, and name it with --linux"
    )


def boot(root: Path, folder: Path, accelerator: str, memory: str | None, linux: str, timeout_s: int) -> int:
    """Prints what the machine prints; the exit code that its commands add up to, 2 where they did not come to their end."""
    limit_mib = few_addresses()
    memory = memory or (
        "6G" if limit_mib is None else f"{limit_mib * 9 // 10}M" if accelerator == "uml" else f"{limit_mib // 3}M"
    )
    disks = [folder / "disk.img", folder / "swap.img"][: 1 if memory == "6G" else 2]
    for image in disks:
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(6 << 30)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-d", root, disks[0]], check=True)
    if len(disks) == 2:
        subprocess.run(["mkswap", "-q", disks[1]], check=True)
    why = "" if limit_mib is None else f" (a process has {limit_mib} MiB of addresses here)"
    print(f"vm.py: {accelerator}, {memory} of memory{why}, {6 * (len(disks) - 1)} GiB of swap", flush=True)
    machine = user_mode_linux(folder, disks, memory, linux) if accelerator == "uml" else qemu(root, disks, accelerator, memory)
    process = subprocess.Popen(
        ["timeout", str(timeout_s), *machine],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    code = 2
    assert process.stdout is not None
    for line in process.stdout:
        print(line.rstrip(), flush=True)
        if line.startswith(f"{_MARK} end"):
            code = int(line.split()[-1])
    process.wait()
    return code


def main() -> int:
    parser = argparse.ArgumentParser(prog="vm.py")
    parser.add_argument("--keep", type=Path, help="where the Debian is made, and found again by the next run")
    parser.add_argument(
        "--accelerator", choices=("kvm", "tcg", "uml"), default=default_accelerator(),
        help="tcg goes anywhere, ten to twenty times as slow; uml is User-Mode Linux (default here: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--memory", help="of the machine, such as 256M; a swap disk comes with it")
    parser.add_argument("--linux", default="linux.uml", metavar="FILE", help="the User-Mode Linux to start (uml)")
    parser.add_argument("--timeout", type=int, default=1800, metavar="SECONDS")
    parser.add_argument("commands", nargs="*", help="'root COMMAND', 'user COMMAND' or 'loginless COMMAND'")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("vm.py: run it as root")
    machine = (options.linux, "user-mode-linux") if options.accelerator == "uml" else ("qemu-system-x86_64", "qemu-system-x86")
    for program, package in (("debootstrap", "debootstrap"), machine):
        if shutil.which(program) is None:
            sys.exit(f"vm.py: {program} is not installed; type: apt-get install {package}")
    if options.accelerator == "uml" and (fault := faulty_linux(options.linux)):
        print(f"vm.py: {fault}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="reexec-vm-", dir="/var/tmp") as name:
        folder = options.keep or Path(name)
        root = folder / "root"
        if not (root / "boot").is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            make_root(root)
        fill(root, options.commands or list(COMMANDS))
        return boot(root, folder, options.accelerator, options.memory, options.linux, options.timeout)


if __name__ == "__main__":
    sys.exit(main())
