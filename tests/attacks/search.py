# Runs in the jail: looks for texts of one shape everywhere that a program can look.
import ctypes
import gc
import os
import re
import sys

SHAPE = re.compile(b"plant" + b"ed-[0-9a-f]{32}")
PAGE = 4096
BLOCK = 1 << 20


def texts():
    for key, value in os.environ.items():
        yield key + value
    for argument in [*sys.argv, *getattr(sys, "orig_argv", [])]:
        yield argument
    for name, module in list(sys.modules.items()):
        yield name + repr(getattr(module, "__dict__", ""))
    frame = sys._getframe()
    while frame is not None:
        yield repr(frame.f_locals) + repr(frame.f_globals)
        frame = frame.f_back
    for thing in gc.get_objects():
        if type(thing) in (str, bytes, list, tuple, dict, set):
            yield repr(thing)


def files():
    for fd in range(256):
        try:
            os.set_blocking(fd, False)
            yield os.pread(fd, 1 << 20, 0)
        except OSError:
            pass
        try:
            yield os.read(fd, 1 << 20)
        except OSError:
            pass
    for folder in ("/reexec", "/reexec/reexec_inside", "/tmp", "/"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    yield file.read(1 << 22)
            except OSError:
                pass


def memory():
    """Every readable page near any known object, read through a pipe: a bad address is EFAULT, not a crash."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    known = {id(thing) // BLOCK for thing in gc.get_objects()} | {id(name) // BLOCK for name in sys.modules}
    known |= {id(0) // BLOCK, ctypes.addressof(ctypes.c_char_p(b"x")) // BLOCK}
    blocks = sorted({block + step for block in known for step in (-2, -1, 0, 1, 2)})
    reader, writer = os.pipe()
    tail = b""
    for block in blocks:
        for address in range(block * BLOCK, (block + 1) * BLOCK, PAGE):
            if libc.write(writer, address, PAGE) == PAGE:
                page = os.read(reader, PAGE)
                yield tail + page
                tail = page[-64:]
            else:
                tail = b""


def search(hint=None):
    found = set()
    pages = 0
    for text in texts():
        found.update(SHAPE.findall(text.encode("utf-8", "replace")))
    for data in files():
        found.update(SHAPE.findall(data))
    for data in memory():
        pages += 1
        found.update(SHAPE.findall(data))
    return [sorted(item.decode() for item in found), pages]
