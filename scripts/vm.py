"""Tries reexec on a machine of its own: Debian's kernel and systemd, so control groups v2 alone, and a Landlock that is
older than this host's may be. Run it as root, with debootstrap and qemu-system-x86 installed:

    .venv/bin/python scripts/vm.py [--keep FOLDER] [--accelerator tcg] [COMMAND...]

Makes a Debian with this checkout, its .venv and its interpreter at the paths they have here, boots it without any network,
runs the commands as root and as an ordinary user (in a scope of its user manager, where control groups are delegated, and
without one), and prints what they print. The exit code is 1 where one of them failed, 2 where they did not come to their
end. docs/hosts.md has the results.
"""

import argparse
import os
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
TTYPath=/dev/ttyS0
[Install]
WantedBy=multi-user.target
"""


def guest_script(commands: list[str]) -> str:
    """`root COMMAND` runs in the unit's own group, `user COMMAND` in a scope of the user's manager, `loginless COMMAND` as
    the user in a group that is root's."""
    lines = [
        "export REEXEC_VM=1 LANG=C.UTF-8 COLUMNS=180 HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        f"cd {ROOT}",
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
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 0\ntmpfs /tmp tmpfs mode=1777 0 0\n")
    unit = root / "etc/systemd/system/commands.service"
    unit.write_text(_UNIT)
    wanted = root / "etc/systemd/system/multi-user.target.wants" / unit.name
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to(f"/etc/systemd/system/{unit.name}")
    getty = root / "etc/systemd/system/serial-getty@ttyS0.service"  # it would print into the commands' lines
    getty.unlink(missing_ok=True)
    getty.symlink_to("/dev/null")


def boot(root: Path, folder: Path, accelerator: str, timeout_s: int) -> int:
    """Prints what the machine prints; the exit code that its commands add up to, 2 where they did not come to their end."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(6 << 30)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", "-d", root, image], check=True)
    kernel, initrd = (next((root / "boot").glob(pattern)) for pattern in ("vmlinuz-*", "initrd.img-*"))
    processor = {
        "kvm": ["-accel", "kvm", "-cpu", "host,-arch-capabilities"],  # a register that a nested KVM may not set
        "tcg": ["-accel", "tcg,thread=multi", "-cpu", "max"],
    }[accelerator]
    machine = ["-machine", "q35", *processor, "-smp", str(len(os.sched_getaffinity(0))), "-m", "6G"]
    disk = ["-drive", f"file={image},if=virtio,format=raw,cache=unsafe"]
    linux = [
        "-kernel",
        kernel,
        "-initrd",
        initrd,
        "-append",
        "root=/dev/vda rw console=ttyS0 quiet audit=0 systemd.show_status=no",
    ]
    quiet = ["-nographic", "-no-reboot", "-nic", "none", "-serial", "stdio", "-monitor", "none"]
    machine_process = subprocess.Popen(
        ["timeout", str(timeout_s), "qemu-system-x86_64", *machine, *disk, *linux, *quiet],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace",
    )  # fmt: skip
    code = 2
    assert machine_process.stdout is not None
    for line in machine_process.stdout:
        print(line.rstrip(), flush=True)
        if line.startswith(f"{_MARK} end"):
            code = int(line.split()[-1])
    machine_process.wait()
    return code


def main() -> int:
    parser = argparse.ArgumentParser(prog="vm.py")
    parser.add_argument("--keep", type=Path, help="where the Debian is made, and found again by the next run")
    parser.add_argument(
        "--accelerator", choices=("kvm", "tcg"), default="kvm", help="tcg goes anywhere, ten to twenty times as slow"
    )
    parser.add_argument("--timeout", type=int, default=1800, metavar="SECONDS")
    parser.add_argument("commands", nargs="*", help="'root COMMAND', 'user COMMAND' or 'loginless COMMAND'")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("vm.py: run it as root")
    for program, package in (("debootstrap", "debootstrap"), ("qemu-system-x86_64", "qemu-system-x86")):
        if shutil.which(program) is None:
            sys.exit(f"vm.py: {program} is not installed; type: apt-get install {package}")
    with tempfile.TemporaryDirectory(prefix="reexec-vm-", dir="/var/tmp") as name:
        folder = options.keep or Path(name)
        root = folder / "root"
        if not (root / "boot").is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            make_root(root)
        fill(root, options.commands or list(COMMANDS))
        return boot(root, folder, options.accelerator, options.timeout)


if __name__ == "__main__":
    sys.exit(main())
