"""The static files of the dashboard, as browsers get them.

The path of a file contains a hash of all of them and of what bundles them. Browsers may therefore
keep a file for ever, and never mix files of two versions.
"""

import hashlib
import mimetypes
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from orpheus.api.dashboard import bundles
from orpheus.api.dashboard.bundles import bundle, page_scripts

_FOREVER = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
_GZIP = 31
"""The `wbits` of zlib for gzip's format with its largest window."""


class StaticFiles:
    """Every file below `folder`, read once. The script of a page is sent with all its modules.

    `policy`: headers of each answer.
    """

    def __init__(self, folder: Path, policy: Mapping[str, str]) -> None:
        paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
        self._policy = policy
        self._whole: dict[str, bytes] = {}
        self._compressed: dict[str, bytes] = {}
        self.version = _hash_of(self._files | {"": Path(bundles.__file__).read_bytes()})

    async def answer(self, request: Request) -> Response:
        """Answer `{version}/{path}`. Raises HTTPException if there is no such file."""
        path, version = request.path_params["path"], request.path_params["version"]
        if path not in self._files:
            raise HTTPException(404)
        # A page of an older version asks by its own hash: it gets the current file, uncached.
        keeps = _FOREVER if version == self.version else _REVALIDATE
        headers = {**self._policy, "Cache-Control": keeps, "Vary": "Accept-Encoding"}
        content = self._content(path)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = self._as_gzip(path, content)
        return Response(content, media_type=_media_type(path), headers=headers)

    @cached_property
    def _modules(self) -> dict[str, str]:
        scripts = (path for path in self._files if path.startswith("js/") and path.endswith(".js"))
        return {path.removeprefix("js/"): self._files[path].decode() for path in scripts}

    @cached_property
    def _page_scripts(self) -> frozenset[str]:
        return page_scripts(self._modules)

    def _content(self, path: str) -> bytes:
        script = path.removeprefix("js/")
        if script not in self._page_scripts:
            return self._files[path]
        if path not in self._whole:
            self._whole[path] = bundle(script, self._modules).encode()
        return self._whole[path]

    def _as_gzip(self, path: str, content: bytes) -> bytes:
        if path not in self._compressed:
            self._compressed[path] = zlib.compress(content, wbits=_GZIP)
        return self._compressed[path]


def _hash_of(files: Mapping[str, bytes]) -> str:
    """Return a hash of all files: one for all, as they name each other by relative paths."""
    digest = hashlib.sha256()
    for path, content in files.items():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _media_type(path: str) -> str:
    if path.endswith(".js"):  # some systems map .js to a type that browsers refuse for modules
        return "text/javascript"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
