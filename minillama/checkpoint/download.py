"""Weights from the Hugging Face Hub into a folder of plain files that `load` opens.

huggingface_hub lists the repository, signs the requests and streams; what it leaves out is added here: a transfer that
was cut goes on in the next run, and every file is compared with its published checksum before it gets its name.
"""

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

from minillama.checkpoint.catalogue import Weights, find_weights, select_files
from minillama.errors import DownloadError

log = logging.getLogger(__name__)

ATTEMPTS = 5  # in a row without a new byte
RETRY_SECONDS = 1.0
SPARE_BYTES = 64 << 20  # left free on the disk


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """One file of a repository, as its listing describes it.

    Args:
        name: path inside the repository, with forward slashes.
        size_bytes: None where the listing is silent.
        digest: hexadecimal; SHA-256 for large files, git's blob SHA-1 for the others; "" where the listing is silent.
    """

    name: str
    size_bytes: int | None
    digest: str

    def partial(self, folder: Path) -> Path:
        """Where the bytes wait until they are whole; another version of the file has another place."""
        return folder / f"{self.name}.{self.digest[:12] or 'unverified'}.part"

    def missing_bytes(self, folder: Path) -> int:
        """How many bytes are still to come."""
        places = [path for path in (folder / self.name, self.partial(folder)) if path.is_file()]
        have = max((path.stat().st_size for path in places), default=0)
        return max((self.size_bytes or 0) - have, 0)


def models_folder() -> Path:
    """Where downloads go by default: MINILLAMA_MODELS, or the user's data folder."""
    return Path(os.environ.get("MINILLAMA_MODELS") or platformdirs.user_data_path("minillama") / "models")


def download(
    name: str,
    folder: Path | str | None = None,
    revision: str | None = None,
    files: Sequence[str] = (),
    token: str | None = None,
    progress: bool | None = None,
) -> Path:
    """Bring the weights, configuration and tokenizer of a model into one folder.

    Args:
        name: a name of CATALOGUE, or "owner/name" of any repository; HF_ENDPOINT names another server.
        folder: the destination; None means models_folder() / "owner--name". Files that are there and whole are kept.
        revision: branch, tag or commit; None means main.
        files: only these, such as one GGUF file of many; empty chooses what a model needs.
        token: of the Hub; None means HF_TOKEN or the one stored by `hf auth login`.
        progress: show a bar on standard error; None where that is a terminal.

    Returns:
        What `load` opens: the folder, or the GGUF file where that is all there is.

    Raises:
        DownloadError: unknown, refused, interrupted, no space on the disk, or not what the repository promised.

    >>> model, tokenizer = minillama.load(download("tinyllama-1.1b-chat"))  # doctest: +SKIP
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    weights = find_weights(name)
    target = Path(folder) if folder is not None else models_folder() / weights.repository.replace("/", "--")
    with _explained(weights, target):
        commit, remote = _list_files(weights, revision, files or weights.files, token)
        _check_disk_space(target, sum(file.missing_bytes(target) for file in remote))
        headers = build_hf_headers(token=token, library_name="minillama")
        for number, file in enumerate(remote, start=1):
            log.info("file %d of %d: %s", number, len(remote), file.name)
            url = hf_hub_url(weights.repository, file.name, revision=commit, endpoint=_endpoint())
            bring(url, headers, file, target, progress)
    ggufs = sorted(file.name for file in remote if file.name.endswith(".gguf"))
    return target / ggufs[0] if ggufs else target


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _list_files(
    weights: Weights, revision: str | None, wanted: Sequence[str], token: str | None
) -> tuple[str, list[RemoteFile]]:
    """The commit that the whole download is pinned to, and its files."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=_endpoint(), token=token, library_name="minillama")
    info = api.model_info(weights.repository, revision=revision or "main", files_metadata=True, timeout=30)
    listed = {}
    for entry in info.siblings or []:
        digest = entry.lfs.sha256 if entry.lfs else entry.blob_id
        listed[entry.rfilename] = RemoteFile(name=entry.rfilename, size_bytes=entry.size, digest=(digest or "").lower())
    chosen = [listed[name] for name in select_files(list(listed), wanted)]
    for file in chosen:
        _check_name(file.name)
    return info.sha or revision or "main", chosen


def _check_name(name: str) -> None:
    """A listing is not trusted to name files outside the folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or any(char in name for char in "\\:\0\n"):
        raise DownloadError(f"the repository lists a file {name!r} that would leave the folder; nothing was written")


def _check_disk_space(folder: Path, needed: int) -> None:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed and needed + SPARE_BYTES > free:
        raise DownloadError(
            f"{folder}: {needed / 1e9:.3f} GB are to come and {free / 1e9:.3f} GB are free: take another folder"
        )


def bring(url: str, headers: dict[str, str], file: RemoteFile, folder: Path, progress: bool | None) -> None:
    """One file: kept when it is there and whole, else transferred, checked and given its name.

    Raises:
        DownloadError: it came out different.
        huggingface_hub.errors.HfHubHTTPError, OSError: what the server, the network or the disk said.
    """
    final, partial = folder / file.name, file.partial(folder)
    there = final.is_file() and file.size_bytes in (None, final.stat().st_size)
    if there and file.digest and _digest(final, file) == file.digest:
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    _transfer(url, headers | {"Accept-Encoding": "identity"}, file, partial, progress)
    if not file.digest:
        log.warning("%s: the server publishes no checksum; the file could not be verified", file.name)
    elif (got := _digest(partial, file)) != file.digest:
        partial.unlink()
        raise DownloadError(
            f"{file.name} came out different: checksum {got[:12]}…, expected {file.digest[:12]}…; "
            "the file was removed, start the download again"
        )
    os.replace(partial, final)


def _transfer(url: str, headers: dict[str, str], file: RemoteFile, partial: Path, progress: bool | None) -> None:
    """Append to the partial file until it is whole; a cut connection is taken up where it broke."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    failures = 0
    while True:
        before = partial.stat().st_size if partial.is_file() else 0
        try:
            with _progress_bars(progress):
                _append(url, partial, file, headers)
            return
        except HfHubHTTPError:
            raise  # an answer of the server, not a broken line
        except (HTTPError, OSError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise
            after = partial.stat().st_size if partial.is_file() else 0
            failures = 1 if after > before else failures + 1
            if failures >= ATTEMPTS:
                raise
            log.info("%s: %s; going on at byte %d", file.name, error, after)
            time.sleep(RETRY_SECONDS)


def _append(url: str, partial: Path, file: RemoteFile, headers: dict[str, str]) -> None:
    from huggingface_hub.file_download import http_get

    if file.size_bytes is not None and partial.is_file() and partial.stat().st_size > file.size_bytes:
        partial.unlink()
    with partial.open("ab") as stream:
        size = stream.seek(0, os.SEEK_END)
        http_get(
            url, stream, resume_size=size, headers=headers, expected_size=file.size_bytes, displayed_filename=file.name
        )
        stream.flush()
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _progress_bars(progress: bool | None) -> Iterator[None]:
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = sys.stderr.isatty() if progress is None else progress
    if shown or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _digest(path: Path, file: RemoteFile) -> str:
    """SHA-256 of a large file; SHA-1 of a small one with git's header before it, which is how git names its content."""
    small = len(file.digest) == 40
    digest = hashlib.sha1(usedforsecurity=False) if small else hashlib.sha256()
    if small:
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _explained(weights: Weights, folder: Path) -> Iterator[None]:
    """Turn what the Hub, the network and the disk say into one line with the remedy."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{weights.repository}"
    login = f"accept the licence at {page}, then set HF_TOKEN or run `hf auth login`"
    try:
        yield
    except errors.GatedRepoError as error:
        raise DownloadError(f"{weights.repository} is gated and the server refused: {login}") from error
    except errors.RevisionNotFoundError as error:
        raise DownloadError(f"{weights.repository} has no such revision: look at {page}/tree/main") from error
    except errors.RepositoryNotFoundError as error:
        hint = login if weights.gated else "check the spelling; a private one needs HF_TOKEN"
        raise DownloadError(f"no repository {weights.repository} is open to you at {_endpoint()}: {hint}") from error
    except errors.EntryNotFoundError as error:
        raise DownloadError(f"{weights.repository} lists a file that its server lacks; try again later") from error
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        hint = login if status in (401, 403) else "try again later; what has come is kept"
        raise DownloadError(f"{_endpoint()} answered {status} for {weights.repository}: {hint}") from error
    except errors.OfflineModeIsEnabled as error:
        raise DownloadError("HF_HUB_OFFLINE is set, and a download needs the network: unset it") from error
    except (errors.HTTPError, OSError, ValueError) as error:
        raise broken_line(error, weights.repository, _endpoint(), folder) from error


def broken_line(error: Exception, what: str, server: str, folder: Path) -> DownloadError:
    """What the network or the disk said, as one line: the transfer of `what` from `server` to `folder`."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DownloadError(f"no space left on the disk of {folder}: make room and start again, what has come is kept")
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return DownloadError(f"cannot write to {error.filename}: {error.strerror}; name another folder")
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return DownloadError(
        f"the transfer of {what} from {server} broke off ({reason}): "
        "check the network and start again, what has come is kept"
    )
