"""oldsystem.py COMMAND ...: run it as if the system had neither files without a name nor sendfile for them."""
import ctypes
import errno
import os
import struct
import subprocess
import sys

O_TMPFILE = os.O_TMPFILE & ~os.O_DIRECTORY                  # the bit that is in nothing else
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, IF_EQUAL, IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06     # of struct sock_filter
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
FLAGS = 32 if sys.byteorder == "little" else 36             # where the third argument of a call is in seccomp_data


def numbers() -> tuple[int, int, int]:
    """Of sendfile, sendfile64 (which some 32 bit systems have besides) and openat, as the compiler knows them."""
    lines = "#include <sys/syscall.h>\n#ifndef SYS_sendfile64\n#define SYS_sendfile64 SYS_sendfile\n#endif\n"
    names = "SYS_sendfile", "SYS_sendfile64", "SYS_openat"
    compiler = [*os.environ.get("CC", "cc").split(), "-E", "-P", "-xc", "-"]
    out = subprocess.run(compiler, input=lines + " ".join(names), text=True, stdout=subprocess.PIPE, check=True).stdout
    sendfile, sendfile64, openat = map(int, out.split()[-len(names):])
    return sendfile, sendfile64, openat


def program(sendfile: int, sendfile64: int, openat: int) -> bytes:
    steps = [(LOAD, 0, 0, 0),
             (IF_EQUAL, 5, 0, sendfile),
             (IF_EQUAL, 4, 0, sendfile64),
             (IF_EQUAL, 0, 2, openat),
             (LOAD, 0, 0, FLAGS),
             (IF_SET, 2, 0, O_TMPFILE),
             (RETURN, 0, 0, ALLOW),
             (RETURN, 0, 0, ERRNO | errno.EINVAL),
             (RETURN, 0, 0, ERRNO | errno.EOPNOTSUPP)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def main() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program(*numbers()))
    filter_of = struct.pack("HP", len(code) // 8, ctypes.addressof(code))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_of, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    os.execv(sys.argv[1], sys.argv[1:])


main()
