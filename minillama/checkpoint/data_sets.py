"""Data to learn from that `minillama download` knows by name; whoever brings it accepts its licence."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from minillama.checkpoint.download import RemoteFile, bring, broken_line
from minillama.errors import DownloadError


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One file of data.

    Args:
        file: its name here.
        url: where it is published.
        digest: git's blob SHA-1 of its bytes; with another one it is not the file.
        licence: name and address of it, with what it asks for.
        note: what it is.
    """

    file: str
    url: str
    digest: str
    licence: str
    note: str


DATA_SETS: dict[str, DataSet] = {
    "alpaca": DataSet(
        file="alpaca_data.json",
        url="https://raw.githubusercontent.com/tatsu-lab/stanford_alpaca/main/alpaca_data.json",
        digest="3779ddbc040543ab1834ef216c983d6fcc06cc9a",
        licence="CC BY-NC 4.0, https://creativecommons.org/licenses/by-nc/4.0/: name Stanford Alpaca (Taori et al. "
        "2023) as the source, and make no commercial use of the data nor of what is trained on it",
        note="52,002 instructions with answers that text-davinci-003 wrote; 23 MB of JSON",
    ),
}


def data_folder() -> Path:
    """Where data go by default: MINILLAMA_DATA, or the user's data folder."""
    return Path(os.environ.get("MINILLAMA_DATA") or platformdirs.user_data_path("minillama") / "data")


def download_data_set(name: str, folder: Path | str | None = None, progress: bool | None = None) -> Path:
    """Bring a file of data; one that is there and whole is kept, one that was cut off goes on.

    Args:
        name: of DATA_SETS.
        folder: the destination; None means data_folder().
        progress: show a bar on standard error; None where that is a terminal.

    Returns:
        The file.

    Raises:
        DownloadError: unknown, refused, interrupted, no space on the disk, or not the file that was published.
    """
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    if name not in DATA_SETS:
        raise DownloadError(f"no data are called {name!r}, expected one of {', '.join(DATA_SETS)}")
    found = DATA_SETS[name]
    target = Path(folder) if folder is not None else data_folder()
    server = urlsplit(found.url).netloc
    try:
        bring(found.url, {}, RemoteFile(name=found.file, size_bytes=None, digest=found.digest), target, progress)
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        raise DownloadError(f"{server} answered {status} for {found.file}: try again later") from error
    except OfflineModeIsEnabled as error:
        raise DownloadError("HF_HUB_OFFLINE is set, and a download needs the network: unset it") from error
    except (HTTPError, OSError, ValueError) as error:
        raise broken_line(error, found.file, server, target) from error
    return target / found.file
