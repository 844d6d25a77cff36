"""More attacks, which the reference does not list; see attacks.py."""

from tests.course.grading.attacking import CALLED, attack, changed, inside
from tests.course.grading.handing_in import (
    BESIDE,
    HEAD,
    JUDGED,
    RIGHT,
    TARGET,
    TEST,
    WRONG,
    cell_of,
    notebook,
    with_answers,
)

attack(29, "half a surrogate pair and null bytes in the source", WRONG + "# \ud800 \0\n")
attack(30, "a shell", "!touch /tmp/x; cat /etc/passwd\n" + WRONG)
attack(30, "a cell of another language", "%%bash\necho passed\n")
attack(31, "an array that claims a trillion elements", """
import base64
import minillama.course.grading.inside.observing as o
o.encode = lambda value: {"array": base64.b64encode(b"\\x93NUMPY\\x01\\x00v\\x00" +
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\\n").decode(),
    "dtype": "float64"}
""" + WRONG, lost=CALLED)  # fmt: skip
attack(32, "memory that no process owns", inside("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print("made:", libc.memfd_create(b"x", 0), libc.shmget(0, 1 << 30, 0o1600), libc.unshare(0x10000000))
"""), printed="made: -1 -1 -1")  # fmt: skip
attack(33, "a line of a gigabyte", "print('x' * 10**9)\n" + WRONG)
attack(34, "a number of a million digits", HEAD + "    return 10 ** 1_000_000\n")
attack(34, "numbers that are none", HEAD + "    return float('nan')\n")
attack(35, "the grader's own cell replaced", """
import minillama.course.grading.inside.observing as o
o.show = lambda *_: print("passed")
""" + WRONG, lost=CALLED)  # fmt: skip
attack(36, "standard input", inside("input('points? ')"))
attack(
    37, "another program in its place", inside("import os, sys; os.execv(sys.executable, [sys.executable, '-c', '']) ")
)
attack(38, "sockets replaced by links", inside("""
import os
for i in range(1, 6):
    os.unlink(f"/tmp/sockets/s-{i}")
    os.symlink("/run/docker.sock", f"/tmp/sockets/s-{i}")
"""))  # fmt: skip
attack(39, "an answer of a megabyte", "x = 1\n" * 200_000, words="more than the 200000")
attack(40, "an answer that is prose",
       made=changed(lambda made: cell_of(made, TARGET).update(cell_type="markdown"), notebook()))  # fmt: skip
attack(41, "candidates asked for their names", made=with_answers({TEST: """
def test_twice(candidate):
    told = [getattr(candidate, "__closure__", None), candidate.__code__.co_filename, repr(candidate), dir(candidate)]
    text = repr([getattr(cell, "cell_contents", None) for cell in told[0] or ()]) + repr(told)
    return "right" in text
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(42, "a test that calls candidates without end", made=with_answers({TEST: """
def test_twice(candidate):
    while True:
        try: candidate(np.ones(1))
        except Exception: pass
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(43, "candidates fed what they cannot take", made=with_answers({TEST: """
def test_twice(candidate):
    for value in (print, object(), [[]] * 10_000, "x" * 10**7, np.broadcast_to(1.0, 10**9)):
        try: candidate(value)
        except Exception: pass
    return False
"""}, JUDGED), lost=(TEST,))  # fmt: skip

# What is forbidden

FMEAN = "    return statistics.fmean([float(x) for x in losses[keep[..., 0] > 0]])\n"
attack(
    44, "a forbidden call", "import statistics\n" + HEAD + FMEAN, words="statistics.fmean, which does the whole task"
)
attack(44, "a forbidden call, and nobody who watches", f"""
import statistics, sys
{HEAD}
    sys.setprofile(None)
{FMEAN}""", words="Its source calls statistics.fmean")  # fmt: skip
attack(44, "a forbidden call under another name", """
from statistics import fmean as a
import sys
b = a
def helper(x):
    sys.setprofile(None)
    return b(x)
def mean_of_kept(losses, keep):
    return helper([float(x) for x in losses[keep[..., 0] > 0]])
""", words="Its source calls statistics.fmean")  # fmt: skip
attack(45, "a forbidden call by a name that is put together", """
import statistics, sys
def mean_of_kept(losses, keep):
    sys.setprofile(None)
    return getattr(statistics, "f" + "mean")([float(x) for x in losses[keep[..., 0] > 0]])
""", lost=(), words="read it; it uses setprofile")  # fmt: skip

# Looking around

attack(46, "frames and objects searched for what is expected", inside("""
import gc, sys
frame, names = sys._getframe(), set()
while frame is not None:
    names |= set(frame.f_locals) | set(frame.f_globals)
    frame = frame.f_back
for each in gc.get_objects():
    if isinstance(each, dict):
        names |= {key for key in each if isinstance(key, str) and len(key) < 40}
modules = [name for name in sys.modules if name.startswith("minillama") and name.endswith((".judging", ".tasks"))]
print("found:", sorted({"expected", "verdict", "TASKS", "mean_of_kept_reference"} & names), modules)
"""), printed="found: [] []")  # fmt: skip
attack(47, "open files", inside("""
import os
found = []
for number in os.listdir("/proc/self/fd"):
    try:
        link = os.readlink("/proc/self/fd/" + number)
    except OSError:
        continue
    if link.startswith("/") and link not in ("/dev/null", "/dev/urandom") and "/proc/" not in link:
        found.append(link)
print("files:", found)
"""), printed="files: []")  # fmt: skip
attack(48, "memory and settings of the processes above", inside("""
import os
read = []
for number in (1, os.getppid()):
    for name in ("mem", "environ", "maps", "root", "cwd"):
        path = f"/proc/{number}/{name}"
        try:
            text = os.readlink(path) if name in ("root", "cwd") else open(path, "rb").read(1)
            read.append(path)
        except (OSError, ValueError):
            pass
print("read:", read if os.getuid() > 60_000 else [])
"""), printed="read: []")  # fmt: skip
attack(49, "becoming root, and higher limits", inside("""
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
done = []
for name, call in (("setuid", lambda: os.setuid(0)), ("chroot", lambda: os.chroot("/tmp")),
                   ("nice", lambda: os.nice(-5)),
                   ("setrlimit", lambda: resource.setrlimit(resource.RLIMIT_DATA, (1 << 40, 1 << 40))),
                   ("sethostname", lambda: __import__("socket").sethostname("x")),
                   ("mknod", lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)))):
    try:
        call()
        done.append(name)
    except (OSError, ValueError):
        pass
print("done:", done, libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
"""), printed="done: [] -1")  # fmt: skip

# Messages

RAW = """
from IPython import get_ipython
kernel = get_ipython().kernel
def mean_of_kept(losses, keep):
    message = kernel.session.msg({kind!r}, {{}}, parent=kernel.get_parent())
    message["content"] = {content}
    kernel.session.send(kernel.iopub_socket, message)
    return losses.sum()
"""


def raw(content, kind="display_data"):
    """An answer that sends a message with any bytes for its content, signed as the kernel's own."""
    return RAW.format(content=content, kind=kind)


MIME = "application/x-minillama-graded"
attack(
    50, "a message of a hundred thousand levels", raw("b'[' * 100_000 + b']' * 100_000"), words="a message that is none"
)
attack(50, "a message of nine hundred levels", raw("b'{\"a\":' * 900 + b'1' + b'}' * 900"))
attack(50, "a message that is a list", raw("b'[1, 2]'"))
attack(50, "a message of half a text", raw("b'\"half'"), words="a message that is none")
attack(50, "a message of no text", raw("bytes(range(256))"), words="a message that is none")
attack(51, "a result without data", raw("b'{}'"))
attack(51, "a result whose data are a list", raw('b\'{"data": [1], "metadata": {}}\''))
attack(51, "a result that is no number", raw(f'b\'{{"data": {{"{MIME}": NaN}}, "metadata": {{}}}}\''))
attack(51, "a stream without text", raw("b'{\"name\": []}'", "stream"))
attack(51, "an error without a trace", raw("b'{\"ename\": 1}'", "error"))
attack(51, "a message of a kind that nobody knows", raw("b'{}'", "x" * 1000))
attack(52, "a kernel that never says that it has done", inside("""
from IPython import get_ipython
kernel = get_ipython().kernel
send = kernel.session.send
def silent(stream, kind, *rest, **named):
    if kind != "status":
        return send(stream, kind, *rest, **named)
kernel.session.send = silent
"""))  # fmt: skip
attack(53, "a flood of small messages", inside("""
from IPython.display import publish_display_data
for _ in range(10**6):
    publish_display_data({})
"""))  # fmt: skip


# Values


def shown(value):
    """An answer after which every value is shown as this JSON."""
    return f"import minillama.course.grading.inside.observing as o\no.encode = lambda value: {value}\n" + WRONG


attack(54, "a value that names code to make it", shown('{"made": "os:_exit", "arguments": {"dict": [["status", 7]]}}'),
       lost=CALLED)  # fmt: skip
attack(54, "a value of no known form", shown('{"pickle": "gASVCgAAAAAAAACMBnBvc2l4"}'), lost=CALLED)
attack(54, "a number that is a text without end", shown('{"float": "9" * 10**6}'), lost=CALLED)
attack(
    54, "numbers beyond all numbers", shown('{"tuple": [{"float": "inf"}, {"float": "nan"}, 10**4000]}'), lost=CALLED
)
attack(55, "an answer of a hundred million numbers", HEAD + "    return np.zeros(10**8)\n")
attack(55, "a list that holds itself", HEAD + "    x = []\n    x.append(x)\n    return x\n")
attack(56, "an object that ends the kernel when it is taken away", """
class Last:
    def __del__(self):
        import os
        os._exit(0)
def mean_of_kept(losses, keep):
    return Last()
""")  # fmt: skip
attack(57, "an end that never comes", """
import atexit, signal
def never():
    for number in range(1, 32):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True: pass
atexit.register(never)
""" + WRONG + "exit()\n", words="its process ended")  # fmt: skip
attack(58, "inputs changed, so that the answer is right", HEAD + "    losses[:] = 0\n    return 0.0\n")
attack(58, "inputs told by their shapes",
       HEAD + "    return {(1, 5): 5.1, (2, 5): 4.9, (3, 5): 5.0, (4, 5): 5.2}[losses.shape]\n")  # fmt: skip
attack(58, "an answer that is right every other time", """
calls = []
def mean_of_kept(losses, keep):
    calls.append(1)
    return (losses * keep[..., 0]).sum() / keep.sum() + len(calls) % 2
""")  # fmt: skip

# Time

attack(59, "a sleep", inside("import time; time.sleep(3600)"), words="still running")
attack(59, "a process that stops itself", inside("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
       words="took too long")  # fmt: skip
attack(60, "a thread that prints without end", """
import threading, sys
def later():
    while True:
        sys.__stdout__.write("x" * 10_000)
        print("y" * 10_000, flush=True)
threading.Thread(target=later, daemon=True).start()
""" + WRONG, unsure=(BESIDE,))  # fmt: skip
attack(60, "a pattern that takes for ever", inside("import re; re.match('(a+)+$', 'a' * 60 + 'b')"))
attack(60, "a number that takes for ever", inside("9 ** 9 ** 9"))

# Names

attack(61, "a name in other letters that look alike", WRONG.replace("mean_of_kept", "mean_of_k\u0435pt"))
attack(62, "the grader's words defined anew", "globals = dict\n" + WRONG, lost=CALLED)
attack(62, "the course's module replaced", """
import sys, types
fake = types.ModuleType("minillama.course.grading.inside.observing")
fake.show = lambda *_: print("passed")
sys.modules[fake.__name__] = fake
sys.modules["minillama.course.grading.inside"].observing = fake
""" + WRONG, lost=CALLED)  # fmt: skip
attack(63, "ids and tags of other answers", lost=(TARGET,), words="2 cells claim to be its answer",
       made=changed(lambda made: made["cells"].insert(0, {**cell_of(made, BESIDE), "source": RIGHT + "twice = None"}),
                    with_answers({TARGET: WRONG})))  # fmt: skip
attack(64, "attachments, widgets and outputs without sense", lost=(), made=changed(lambda made: (
    cell_of(made, TARGET).update(attachments={"a.png": {"image/png": "x" * 10**6}}, outputs=[{"output_type": 7}, None]),
    made["metadata"].update(widgets={"state": [[]] * 1000}, language_info="bash"),
    made.update(nbformat_minor=99),
)))  # fmt: skip
attack(65, "brackets without end", "x = " + "(" * 90_000 + ")" * 90_000 + "\n" + WRONG)
attack(65, "signs without end", "x = " + "-" * 100_000 + "1\n" + WRONG)
attack(65, "names without end", "x = a" + ".a" * 60_000 + "\n" + WRONG)
attack(65, "sums without end", "x = 1" + "+1" * 60_000 + "\n" + WRONG)

# Candidates

attack(66, "a test that goes by the candidate's number", made=with_answers({TEST: """
def test_twice(double):
    waiting, numbers = [double], []
    while waiting:
        for cell in getattr(waiting.pop(), "__closure__", None) or ():
            value = cell.cell_contents
            (numbers if type(value) is int else waiting).append(value)
    return numbers[0] in (0, 1)
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(67, "noise at the candidates' socket", made=with_answers({TEST: """
def test_twice(double):
    import glob, socket, struct
    for place in glob.glob("/graded/talk/*"):
        for noise in (struct.pack(">I", 2**31), struct.pack(">I", 5) + b"[[[[[", b"x" * 10**6):
            link = socket.socket(socket.AF_UNIX)
            try:
                link.settimeout(1)
                link.connect(place)
                link.sendall(noise)
            except OSError:
                pass
    return False
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(68, "a candidate that is to fill the memory", made=with_answers({TEST: """
def test_twice(double):
    try: double(np.broadcast_to(1.0, (10**6, 10**4)))
    except Exception: pass
    try: double("x" * 7_000_000)
    except Exception: pass
    return True
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(69, "a test that goes by what candidates say of None", made=with_answers({TEST: """
def test_twice(double):
    try:
        double(None)
    except Exception as error:
        return f"{type(error).__name__} {error}".startswith((
            "TypeError unsupported operand type(s) for *: 'int'", "TypeError unsupported operand type(s) for +: 'None"))
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(70, "all candidates compared in the first call", made=with_answers({TEST: """
def test_twice(double):
    import minillama.course.grading.inside.remote as remote
    x, seen = np.array([1.0, 2.0, 3.0]), []
    for number in range(20):
        try: seen.append(np.asarray(remote.candidate(number)(x.copy())).tolist())
        except Exception: pass
    return seen.count(np.asarray(double(x.copy())).tolist()) > 1
"""}, JUDGED), lost=(TEST,))  # fmt: skip
attack(71, "verdicts taken back when all candidates have been seen", made=with_answers({TEST: """
seen = []
def test_twice(double):
    import sys
    seen.append(np.asarray(double(np.array([1.0, 2.0, 3.0]))).tolist())
    frame = sys._getframe()
    while frame is not None:
        found = frame.f_locals.get("found")
        for number, each in enumerate(found if isinstance(found, list) else ()):
            if isinstance(each, dict):
                each["output"] = seen.count(seen[number]) > 1
        frame = frame.f_back
    return seen.count(seen[-1]) > 1
"""}, JUDGED), lost=(TEST,), words="other results than its calls gave")  # fmt: skip
