"""Every error that a user of minillama can cause, as one tree.

    MinillamaError                    catch this one to catch them all
    ├── ConfigError                   sizes or options that no LLaMA can have
    ├── ShapeError                    a tensor of another shape or dtype than the legend in shapes.py asks for
    ├── TokenizerError                a vocabulary that cannot be read, or ids that it does not hold
    ├── CheckpointError               a weight file that is missing, cut off, damaged, hostile or of another family
    ├── NotEnoughMemoryError          the model would not fit in the memory that is free
    ├── ContextLengthError            more tokens than the model or its cache has places for
    ├── SamplingError                 a temperature, top-k, top-p, min-p or penalty out of range
    ├── DataError                     training text or records that cannot be used
    └── DownloadError                 a download that was refused, interrupted or came out different

A message is one line: what was got, what was expected, what to do. The command line prints it and exits with code 2.
"""


class MinillamaError(Exception):
    """The root of the tree."""


class ConfigError(MinillamaError, ValueError):
    """Sizes or options that no LLaMA can have."""


class ShapeError(MinillamaError, ValueError):
    """A tensor of another shape or dtype than was asked for."""


class TokenizerError(MinillamaError, ValueError):
    """A vocabulary that cannot be read, or ids that it does not hold."""


class CheckpointError(MinillamaError):
    """A weight file that is missing, cut off, damaged, hostile or of another family."""


class NotEnoughMemoryError(MinillamaError, MemoryError):
    """The model would not fit in the memory that is free."""


class ContextLengthError(MinillamaError, ValueError):
    """More tokens than the model or its cache has places for."""


class SamplingError(MinillamaError, ValueError):
    """A sampling option out of its range."""


class DataError(MinillamaError, ValueError):
    """Training text or records that cannot be used."""


class DownloadError(MinillamaError):
    """A download that was refused, interrupted or came out different."""
