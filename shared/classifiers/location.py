"""Where artefacts are kept: a directory, or any URL that fsspec knows (s3://bucket/models, gs://, memory://)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fsspec.core import url_to_fs

from shared.errors import ModelError, ModelUnavailable


class Location:
    """A folder and its files by relative path. Raises ModelError for a URL that fsspec cannot open."""

    def __init__(self, url: str) -> None:
        self.url = url if "://" in url else str(Path(url).absolute())
        try:
            self._files, self._root = url_to_fs(url)
        except Exception as error:  # every file system of fsspec has errors of its own
            raise ModelError(
                f"{url}: expected a directory or a URL that fsspec can open, found: {error}"
            ) from error

    def read(self, path: str) -> bytes:
        """The content of a file. Raises ModelError where there is none, ModelUnavailable where it cannot be read."""
        with self._translated(path):
            content: bytes = self._files.cat_file(self._absolute(path))
            return content

    def write(self, path: str, content: bytes) -> None:
        """Create or replace a file, and the folders above it."""
        with self._translated(path):
            self._files.makedirs(self._absolute(path).rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(self._absolute(path), content)

    def size(self, path: str) -> int:
        """How many bytes a file has that this process may read. Raises what `read` does."""
        with self._translated(path):
            self._files.cat_file(self._absolute(path), start=0, end=1)
            return int(self._files.info(self._absolute(path))["size"])

    def original(self, path: str) -> bytes | None:  # noqa: ARG002  of places that have one
        """The file from where this place has it; None where there is no such, as in folders and behind URLs."""
        return None

    def _absolute(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise ModelError(f"{self.url}: expected the file {path}, found none") from error
        except PermissionError as error:
            raise ModelError(f"{self.url}/{path}: expected access, found it denied: {error}") from error
        except OSError as error:
            raise ModelUnavailable(f"{self.url}/{path}: expected an answer, found: {error}") from error
