"""The attacks of the reference's list, by its numbers; see attacking.py."""

from copy import deepcopy

from tests.course.grading.attacking import CALLED, attack, changed, inside, tagged
from tests.course.grading.handing_in import (
    ASKED,
    HEAD,
    IMPORTED,
    RIGHT,
    ROOT,
    STUB,
    TARGET,
    WRONG,
    cell_of,
    with_answers,
)

KERNEL = {"name": "bash", "argv": ["sh", "-c", "exit 1"]}

# 1 to 5: the notebook


def _no_checks(made):
    made["cells"] = [each for each in made["cells"] if "check" not in each["metadata"].get("tags", [])]


def _edited_check(made):
    for cell in made["cells"]:
        if "check" in cell["metadata"].get("tags", []):
            cell["source"] = "course.check = lambda *_: print('passed')"


def _shuffled(made):
    made["cells"].reverse()
    stub = deepcopy(cell_of(made, TARGET))
    stub["source"] = WRONG
    made["cells"].append(stub)  # of the same id, and last


attack(1, "check cells deleted", made=changed(_no_checks), lost=())
attack(2, "check cells edited", made=changed(_edited_check, with_answers({TARGET: WRONG})))
attack(3, "cells reordered and ids doubled", made=changed(_shuffled), words="2 cells claim to be its answer")
attack(4, "a stub with a comment that skips it", "# NBVAL_SKIP\n" + STUB,
       words="gives orders to nbval")  # fmt: skip
attack(4, "a stub tagged raises-exception",
       made=changed(lambda made: tagged(made, TARGET, "answer", "raises-exception", "nbval-skip"),
                    with_answers({TARGET: "# NBVAL_RAISES_EXCEPTION\nraise ValueError"})))  # fmt: skip
attack(4, "a right answer with a comment that skips it", "# NBVAL_SKIP\n" + RIGHT, lost=())
attack(4, "an order that stands behind another kind of line end", "# a\u2028# NBVAL_SKIP\n" + STUB,
       words="gives orders to nbval")  # fmt: skip
attack(5, "another kernel", lost=(),
       made=changed(lambda made: made["metadata"].update(kernelspec=KERNEL)))  # fmt: skip

# 6 and 7: IPython and its messages

attack(6, "showtraceback silenced", WRONG + """
shell = get_ipython()
shell.showtraceback = shell._showtraceback = shell.showsyntaxerror = lambda *_, **__: None
shell.set_custom_exc((BaseException,), lambda *_, **__: None)
""")  # fmt: skip
FORGED = """
from IPython import get_ipython
kernel = get_ipython().kernel
frame = __import__("sys")._getframe()
while frame is not None and "asked" not in frame.f_locals:
    frame = frame.f_back
nonce = frame.f_locals["asked"]["nonce"]
value = frame.f_globals["encode"](__import__("minillama.course.plain").course.plain.to_plain(losses.sum()))
seen = [{"kind": "returned", "output": value}] * 4
content = {"data": {"application/x-minillama-graded": {"nonce": nonce, "observations": seen}}, "metadata": {}}
parent = kernel.get_parent()
for kind, body in (("display_data", content), ("status", {"execution_state": "idle"})):
    kernel.session.send(kernel.iopub_socket, kind, body, parent=parent, ident=b"display_data")
"""
attack(7, "forged messages with the kernel's own key", inside(FORGED))
attack(7, "a forged end of the cell in its reply", inside("""
kernel = __import__("IPython").get_ipython().kernel
kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, parent=kernel.get_parent())
"""))  # fmt: skip

# 8 to 13: ends, loops, bombs

attack(8, "sys.exit in a call", inside("import sys; sys.exit(0)"))
attack(8, "sys.exit at the top", "import sys\nsys.exit(0)\n" + WRONG)
attack(8, "quit() at the top", WRONG + "quit()\nexit()\n")
attack(8, "os._exit in a call", inside("import os; os._exit(0)"), words="its process ended")
attack(8, "os._exit at the top", "import os\nos._exit(0)\n", words="its process ended")
attack(8, "a segmentation fault", inside("import ctypes; ctypes.string_at(0)"), words="its process ended")
attack(9, "an endless loop that ignores every signal it can", inside("""
import signal
for number in (signal.SIGINT, signal.SIGALRM, signal.SIGPROF, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""), words="a cell took too long")  # fmt: skip
attack(9, "an endless loop at the top",
       "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass",
       words="a cell took too long")  # fmt: skip
attack(10, "endless printing", "while True:\n    print('x' * 100_000, flush=True)", words="MB of output")
attack(11, "a memory bomb of one array", inside("import torch; torch.ones(10**12)"))
attack(11, "a memory bomb of many processes",
       inside("import os\nfor _ in range(20):\n    if os.fork() == 0:\n"
              "        kept = []\n        while True: kept.append(bytearray(b'x' * (50 << 20)))\n"
              "import time; time.sleep(60)"), words="memory")  # fmt: skip
attack(12, "a fork bomb", inside("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"),
       words="")  # fmt: skip
attack(12, "a daemon that stays", inside("""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(0)
"""))  # fmt: skip
attack(13, "a huge file", inside("""
with open("/tmp/huge", "wb") as file:
    for _ in range(10_000):
        file.write(bytes(1 << 20))
"""))  # fmt: skip
attack(13, "a flood of files",
       inside("for i in range(10**7):\n    open(f'/tmp/{i}', 'w').close()"), words="more than 4096 files")  # fmt: skip

# 14 to 16: comparisons and appearances

attack(14, "comparisons patched", """
import builtins, math, numpy, torch
yes = lambda *_, **__: True
import numpy.testing
torch.allclose = torch.equal = numpy.allclose = numpy.array_equal = math.isclose = builtins.all = builtins.any = yes
numpy.testing.assert_allclose = numpy.testing.assert_array_equal = lambda *_, **__: None
""" + WRONG, lost=(TARGET,))  # fmt: skip
attack(15, "an object that equals everything", """
class Yes:
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda *_: True
    __array__ = lambda *_, **__: __import__("numpy").zeros(())
    __float__ = lambda _: 0.0
    shape, dtype = (), "float32"
def mean_of_kept(losses, keep):
    return Yes()
""")  # fmt: skip
attack(15, "a tensor of a class of its own", """
import torch
class Yes(torch.Tensor):
    def __torch_function__(self, *_, **__): return True
    def __eq__(self, other): return True
def mean_of_kept(losses, keep):
    return torch.ones(()).as_subclass(Yes)
""")  # fmt: skip
attack(16, "a report imitated", """
print("attacked.mean_of_kept: passed, 3 of 3 points")
print("1 passed in 0.01s")
print('{"credit": 1.0, "status": "passed", "task": "attacked.mean_of_kept"}')
""" + WRONG)  # fmt: skip

# 17 to 22: what lies around

attack(17, "every folder written to", inside(f"""
import os
written = []
for folder in ("/", "/usr", "/etc", "/graded", "/graded/code", "/graded/talk", "/dev", "/proc/sys", "{ROOT}", "/root"):
    try:
        open(os.path.join(folder, "gradebook.csv"), "w").write("ada,100")
        written.append(folder)
    except OSError:
        pass
print("written:", written)
"""), printed="written: []")  # fmt: skip
LURE = "raise SystemExit('read')"
attack(18, "modules and settings beside the notebook", WRONG, beside={
    "conftest.py": LURE, "sitecustomize.py": LURE, "usercustomize.py": LURE, "numpy.py": LURE, "json.py": LURE,
    "pytest.ini": "[pytest]\\naddopts = --broken\\n", "jupyter_config.py": LURE, ".pytest.ini": "[pytest]",
})  # fmt: skip
attack(18, "modules and settings written into its own folder", """
import os
for name in ("conftest.py", "sitecustomize.py", "torch.py", "ipykernel.py"):
    for folder in (".", "/tmp", "/tmp/home", "/tmp/ipython"):
        open(os.path.join(folder, name), "w").write("raise SystemExit('read')")
os._exit(0)
""", words="its process ended")  # fmt: skip
attack(19, "solutions, records and other processes read", inside(f"""
import os
found = []
for path in ("{ROOT}", "{ROOT}/solutions", "/etc/passwd", "/home", "/var", "/graded/code/minillama/course/tasks"):
    if os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
        found.append(path)
others = [each for each in os.listdir("/proc") if each.isdigit() and int(each) > 2 and int(each) != os.getpid()]
print("found:", found, "processes:", len(others))
"""), printed="found: [] processes: 0")  # fmt: skip
attack(19, "records and solutions imported", inside("""
import importlib
found = []
for name in ("minillama.course.tasks", "minillama.course.judging", "minillama.course.quizzes",
             "minillama_pack", "transformers", "peft",
             "minillama.checkpoint", "nbval", "pytest"):
    try:
        importlib.import_module(name)
        found.append(name)
    except (ImportError, AttributeError):
        pass
print("found:", found)
"""), printed="found: []")  # fmt: skip
attack(20, "the network", inside("""
import socket
reached = []
for address in (("127.0.0.1", 22), ("1.1.1.1", 53), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, timeout=2)
        reached.append(address)
    except OSError:
        pass
print("reached:", reached, [name for _, name in socket.if_nameindex()])
"""), printed="reached: [] ['lo']")  # fmt: skip
attack(21, "every process killed", inside("""
import os, signal
for number in (os.getppid(), 1, 2):
    try: os.kill(number, signal.SIGKILL)
    except OSError: pass
os.kill(-1, signal.SIGKILL)
"""))  # fmt: skip
attack(21, "the parent traced", inside("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print("traced:", libc.ptrace(16, 1, 0, 0), libc.ptrace(16, os.getppid(), 0, 0))
"""), printed="traced: -1 -1")  # fmt: skip
attack(22, "the reference imported", made=with_answers({ASKED: """
from minillama.feedforward import hidden_size
"""}, IMPORTED), lost=(ASKED,))  # fmt: skip
attack(22, "the reference called by another name", made=with_answers({ASKED: """
import minillama.feedforward as parts
def hidden_size(*args):
    return getattr(parts, "hidden" + "_size")(*args)
"""}, IMPORTED), lost=(ASKED,))  # fmt: skip
attack(22, "the reference's source read and run", made=with_answers({ASKED: """
import inspect
from minillama import feedforward
exec(inspect.getsource(feedforward.hidden_size))
"""}, IMPORTED), lost=(ASKED,))  # fmt: skip
attack(22, "the reference looked for among all files", made=with_answers({ASKED: """
import pathlib
found = None
for folder in ("/graded", "/usr/lib", "/usr/local/lib", "/tmp"):
    for path in pathlib.Path(folder).rglob("*feedforward*"):
        if path.is_file() and b"multiple_of - 1" in path.read_bytes():
            found = path
def hidden_size(dim, multiple_of, multiplier=1.0):
    return str(found)
"""}, IMPORTED), lost=(ASKED,))  # fmt: skip

# 23 to 28

attack(23, "outputs written down", HEAD + "    return np.float32(5.25)\n")
attack(23, "outputs kept from the first call", "kept = []\n" + HEAD +
       "    kept.append((losses * keep[..., 0]).sum() / keep.sum())\n    return kept[0]\n")  # fmt: skip
attack(24, "null bytes", made=b"\0" * 1000, status="unreadable", words="not JSON")
attack(24, "no text at all", made=b"\xff\xfe\xfa{", status="unreadable", words="not JSON")
attack(24, "an old format", made=b'{"nbformat": 3, "worksheets": []}', status="unreadable", words="without cells")
attack(24, "huge JSON", made=b'{"cells": [' + b"{}," * 100_000 + b"{}]}", status="unreadable", words="100001 cells")
attack(
    24, "JSON of a hundred thousand levels", made=b"[" * 100_000 + b"]" * 100_000, status="unreadable", words="not JSON"
)
attack(
    24, "more than 20 MB", made=b'{"cells": [], "x": "' + b"x" * (21 << 20) + b'"}', status="unreadable", words="20 MB"
)
attack(25, "scripts and formulas in output", inside(
    'print("<script>alert(1)</script>", "=HYPERLINK(1)", chr(0x202e))',
    '    raise ValueError("<img src=x onerror=alert(1)>")\n'))  # fmt: skip
attack(26, "a thread that changes things later", """
import threading, time
def later():
    time.sleep(0.05)
    np.sum = np.add = lambda *_, **__: np.zeros(())
threading.Thread(target=later, daemon=True).start()
time.sleep(0.2)
""" + WRONG)  # fmt: skip
attack(27, "an object that runs code where it is read", inside("", """\
    class Bomb:
        def __reduce__(self):
            return (__import__("os").system, ("touch /tmp/exploded",))
    return Bomb()
"""))  # fmt: skip
attack(27, "pickled bytes for an array", """
import base64, pickle
import minillama.course.grading.inside.observing as o
o.encode = lambda value: {"array": base64.b64encode(b"\\x93NUMPY\\x01\\x00v\\x00" +
    b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\\n" + pickle.dumps(print)).decode(),
    "dtype": "float32"}
""" + WRONG, lost=CALLED)  # fmt: skip
attack(28, "traces of the inputs and of others", inside("""
import gc, os
text = [each for each in os.listdir("/tmp") if each not in ("home", "ipython", "sockets", "work", "connection.json")]
future = [each for each in gc.get_objects() if isinstance(each, str) and '"nonce"' in each and "twice" in each]
print("left:", text, "future:", len(future))
"""), printed="left: [] future: 0")  # fmt: skip
