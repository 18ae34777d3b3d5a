import ctypes
import os
import resource
import signal
import stat
import sys
import threading

MACHINE = os.uname().machine
NUMBERS = {
    "x86_64": {"shmget": 29, "semget": 64, "msgget": 68, "mq_open": 240, "ioprio_get": 252, "socket": 41},
    "aarch64": {"shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180, "ioprio_get": 31, "socket": 198},
}[MACHINE]
LIMITS = ("AS", "NOFILE", "NPROC", "FSIZE", "CORE", "STACK", "CPU", "DATA", "MEMLOCK", "MSGQUEUE", "SIGPENDING", "RTPRIO")


def syscall(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(NUMBERS[name], *[ctypes.c_long(a) for a in arguments])
    return [done, ctypes.get_errno() if done < 0 else 0]


def descriptors():
    found = []
    for fd in range(64):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        found.append([fd, stat.S_IFMT(mode)])
    return found


def umask():
    value = os.umask(0)
    os.umask(value)
    return value


def scratch():
    return sorted(os.listdir("/tmp")) if os.path.isdir("/tmp") else None


def probe(numbers):
    return {
        "total": sum(numbers),
        "limits": {name: list(resource.getrlimit(getattr(resource, "RLIMIT_" + name))) for name in LIMITS if name != "AS"},
        "address_space": resource.getrlimit(resource.RLIMIT_AS)[0] >> 24,
        "nice": [os.getpriority(os.PRIO_PROCESS, pid) for pid in (0, 1)],
        "scheduling": [os.sched_getscheduler(pid) for pid in (0, 1)],
        "processors": [sorted(os.sched_getaffinity(pid)) for pid in (0, 1)],
        "io_priority": [syscall("ioprio_get", 1, pid) for pid in (0, 1)],
        "ipc": [syscall("shmget", 7, 4096, 0o666), syscall("semget", 7, 1, 0o666), syscall("msgget", 7, 0o666)],
        "descriptors": descriptors(),
        "environment": dict(os.environ),
        "umask": umask(),
        "folder": os.getcwd(),
        "scratch": scratch(),
        "threads": threading.active_count(),
        "handlers": [int(signal.getsignal(n)) if isinstance(signal.getsignal(n), int) else str(signal.getsignal(n))
                     for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU, signal.SIGCHLD)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "arguments": sys.argv,
        "random": random.random(),
        "modules": sorted(name for name in sys.modules if name.startswith("planted")),
        "recursion": sys.getrecursionlimit(),
        "digits": getattr(sys, "get_int_max_str_digits", lambda: 0)(),
    }
