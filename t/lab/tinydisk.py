"""tinydisk.py SIZE HTTPD -d ROOT ...: run httpd with a disk of that size at ROOT/spool, which nobody else sees."""
import ctypes
import os
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x40000

libc = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments) -> None:
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function.__name__}: {os.strerror(ctypes.get_errno())}")


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def keep_to_ourselves() -> None:
    """What is mounted from now on is seen by nobody else. In a chroot / need not be a mount point, and only a mount point
    can be made private; the root of all mounts is one, and entering our own namespace leads there."""
    here = os.open("/", os.O_RDONLY)
    if os.geteuid() == 0:
        namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY)
        call(libc.setns, namespace, CLONE_NEWNS)
        os.close(namespace)
    call(libc.mount, b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    os.fchdir(here)
    if os.geteuid() == 0:
        os.chroot(".")
    os.close(here)


def main() -> None:
    size, command = sys.argv[1], sys.argv[2:]
    folder = f"{command[command.index('-d') + 1]}/spool"
    uid, gid = os.geteuid(), os.getegid()
    call(libc.unshare, CLONE_NEWNS | (CLONE_NEWUSER if uid else 0))
    if uid:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    keep_to_ourselves()
    call(libc.mount, b"tmpfs", folder.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, f"size={size},mode=1777".encode())
    os.execv(command[0], command)


main()
