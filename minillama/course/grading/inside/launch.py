"""The first code in the sandbox: takes its limits upon itself, then becomes the kernel.

Run by a bare interpreter (-I -S) with one argument, JSON: "limits" (resource name -> number), "user" (a number, or
null to stay), "folder" (to work in), "paths" (to import from), "connection" (of the kernel).
"""

import json
import os
import sys


def main(text: str) -> None:
    """Become the kernel."""
    import resource

    asked = json.loads(text)
    for name, value in asked["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    if asked["user"] is not None:
        os.setgroups([])
        os.setresgid(asked["user"], asked["user"], asked["user"])
        os.setresuid(asked["user"], asked["user"], asked["user"])
    os.umask(0o077)
    sys.path[:] = [*asked["paths"], *(path for path in sys.path if path)]
    from minillama.course.grading.inside.calls import refuse

    refuse()
    folder = asked["folder"]
    for name in ("home", "ipython", "sockets", "work"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    os.environ.update(
        HOME=os.path.join(folder, "home"), IPYTHONDIR=os.path.join(folder, "ipython"), TMPDIR=folder,
        JUPYTER_RUNTIME_DIR=folder, OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1", PYTHONUTF8="1",
    )  # fmt: skip
    os.chdir(os.path.join(folder, "work"))
    connection = os.path.join(folder, "connection.json")
    with open(connection, "w", encoding="utf-8") as file:
        json.dump(asked["connection"], file)
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = ["kernel"]
    options = ["--HistoryManager.enabled=False", "--InteractiveShell.colors=NoColor", "--IPKernelApp.log_level=50"]
    IPKernelApp.launch_instance(argv=["-f", connection, *options])


if __name__ == "__main__":
    main(sys.argv[1])
