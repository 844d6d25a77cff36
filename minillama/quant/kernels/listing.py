"""The machine code of a compiled function as text: which instructions it uses, and how often they are written.

cross.py gives the same for the final kernels, for this processor or another one.
"""

import re

from numba import jit
from numba.core.dispatcher import Dispatcher

from minillama.errors import ConfigError


def assembly_of(function: Dispatcher) -> str:
    """The assembly of a function that Numba compiled, for the types of its latest call.

    It is compiled once more, for what comes from Numba's disk cache carries no text.

    Raises:
        ConfigError: a function that has not been called.
    """
    if not function.signatures:
        raise ConfigError(f"{function.py_func.__name__} is not compiled, expected a function that ran: call it")
    compiled = jit(**function.targetoptions)(function.py_func)
    compiled.compile(function.signatures[-1])
    return "\n".join(compiled.inspect_asm().values())


def count_instruction(assembly: str, instruction: str) -> int:
    """How often an instruction is written in an assembly text; a loop's body counts once.

    >>> count_instruction("  vpdpbusd  %zmm1, %zmm2, %zmm0\\n  {vex} vpdpbusd  %ymm1, %ymm2, %ymm0\\n", "vpdpbusd")
    2
    """
    return len(re.findall(rf"^\s+(?:\{{vex\}}\s+)?{re.escape(instruction)}\b", assembly, re.MULTILINE))
