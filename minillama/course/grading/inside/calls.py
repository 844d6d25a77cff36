"""System calls that no answer needs, refused by the kernel of the machine for this process and all that come from it.

They would make memory that no limit counts (memfd, System V), name spaces in which limits begin anew, or look into
other processes. A filter as in seccomp(2), written out as the BPF program that the machine runs at each call.
"""

import ctypes
import errno
import platform
import struct

NUMBERS = {  # name -> (x86_64, aarch64); None where there is none
    "clone": (56, 220), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsmount": (432, 432), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "io_uring_setup": (425, 425), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "open_by_handle_at": (304, 265), "clone3": (435, 435),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
NEW_NAMESPACES = 0x7E020080  # the flags of clone(2) that ask for any
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
X32 = 0x40000000  # the second set of numbers that x86_64 machines have


def program(machine: str) -> bytes:
    """The filter for a machine, 8 bytes a step.

    Raises:
        KeyError: no numbers are known for such a machine.
    """
    column, architecture = MACHINES[machine]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, REFUSE | errno.EPERM), (LOAD, 0, 0, 0)]
    steps += [(0x35, 0, 1, X32), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    for name, numbers in NUMBERS.items():
        if name == "clone":
            steps += [(EQUAL, 0, 4, numbers[column]), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NEW_NAMESPACES)]
            steps += [(RETURN, 0, 0, REFUSE | errno.EPERM), (RETURN, 0, 0, ALLOW)]
        else:
            answer = errno.ENOSYS if name == "clone3" else errno.EPERM  # the C library then takes clone
            steps += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE | answer)]
    return b"".join(struct.pack("HBBI", *step) for step in [*steps, (RETURN, 0, 0, ALLOW)])


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse() -> bool:
    """Refuse them from here on; False where this machine or system cannot."""
    if platform.machine() not in MACHINES:
        return False
    text = program(platform.machine())
    filled = _Program(len(text) // 8, text)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    zero = ctypes.c_ulong(0)
    return (
        prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) == 0
        and prctl(PR_SET_SECCOMP, ctypes.c_ulong(FILTER_MODE), ctypes.byref(filled), zero, zero) == 0
    )
