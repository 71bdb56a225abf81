"""The encoders that were fine-tuned here, beside the versions whose heads read them.

    models/encoders/DIGEST/{encoder.json, layers.npz, words.npz, tokenizer.json, …}     see `training.encoder.files`

They stay on the disks of this installation: a runtime reads them as files, so an object store cannot hold them.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from training.encoder.files import DIGESTS_FILE, FILES, LICENCE_FILES, SHAPE_FILE, digest_of
from training.encoder.shipped import look_also_in
from training.errors import ModelFileError, RegistryError
from training.registry.storage import LocalStorage, Storage

FOLDER = "encoders"
NAMES = (*FILES, DIGESTS_FILE, *LICENCE_FILES)


class OwnEncoders:
    """The encoders in the storage of a registry, by their digests. Opening it makes them known to this process."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        if isinstance(storage, LocalStorage):
            look_also_in(storage.folder / FOLDER)

    def require_place(self) -> None:
        """Raises `RegistryError` where the models are at a URL, which cannot hold encoders."""
        if not isinstance(self._storage, LocalStorage):
            raise RegistryError(
                "An encoder that was fine-tuned can only be stored in a folder of models, not in an object store: set "
                "FRAMING_MODELS_URL to a folder, or leave it unset."
            )

    def add(self, folder: Path) -> str:
        """Stores the encoder in a folder and returns its digest; a process that is killed leaves no half an encoder.

        Raises `RegistryError` where the models are at a URL.
        """
        self.require_place()
        digest = digest_of(folder)
        # The shape comes last: a folder without it holds no encoder.
        for name in sorted(NAMES, key=lambda name: name == SHAPE_FILE):
            if (folder / name).exists():
                self._storage.write(f"{FOLDER}/{digest}/{name}", (folder / name).read_bytes())
        return digest

    def add_files(self, digest: str, files: Mapping[str, bytes]) -> None:
        """Stores the files of an encoder from elsewhere; raises `ModelFileError` where their digest is another."""
        with TemporaryDirectory() as place:
            for name in NAMES:
                if name in files:
                    (Path(place) / name).write_bytes(files[name])
            if not all(name in files for name in FILES) or digest_of(Path(place)) != digest:
                raise ModelFileError("The files of the encoder are not those that the card of the model names.")
            self.add(Path(place))

    def files(self, digest: str) -> dict[str, bytes]:
        """Returns the files of an encoder by name; none where it was not fine-tuned here."""
        paths = self._storage.files(f"{FOLDER}/{digest}") if digest in self.digests() else set()
        names = {PurePosixPath(path).name: path for path in paths}
        return {name: self._storage.read(names[name]) for name in NAMES if name in names}

    def digests(self) -> list[str]:
        """Returns the digests of all whole encoders."""
        return sorted(name for name in self._folders() if SHAPE_FILE in self._storage.names(f"{FOLDER}/{name}"))

    def unused(self, used: Iterable[str]) -> list[str]:
        """Returns the paths of encoders that are not whole, or that no model among those with digests `used` reads."""
        whole = set(self.digests()) & set(used)
        return [f"{FOLDER}/{name}" for name in self._folders() if name not in whole]

    def _folders(self) -> list[str]:
        return sorted(self._storage.names(FOLDER)) if isinstance(self._storage, LocalStorage) else []
