"""Flags of every script that reads crops: the folder, how its names are meant, and what to do about bad files."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from absl import flags

import console
import setting_flags
from wool_tf.data import native_crops
from wool_tf.data.dataset import ON_BAD_IMAGE
from wool_tf.data.naming import CropNaming
from wool_tf.data.native_crops import Crops
from wool_tf.data.sample_bits import SampleBits

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class CropFlags:
    """The flags once they are defined; what they say is known when they are parsed."""

    _data: flags.FlagHolder
    _on_bad_image: flags.FlagHolder
    _naming: setting_flags.Holders
    _samples: setting_flags.Holders

    @property
    def folder(self) -> Path | None:
        """The folder of crops, or None where none is given."""
        return None if self._data.value is None else console.folder("data", self._data.value)

    @property
    def on_bad_image(self) -> str:
        """One of `dataset.ON_BAD_IMAGE`."""
        return self._on_bad_image.value

    @property
    def naming(self) -> CropNaming:
        """How the crops are named."""
        return setting_flags.build(CropNaming, self._naming)

    @property
    def white(self) -> int | None:
        """The highest value of samples in 16-bit crops, or None where it is to be found."""
        return setting_flags.build(SampleBits, self._samples).given_white

    def load(self, cache: str, progress: Callable[[int, int], None] | None = None) -> Crops:
        """The crops of the required folder, by way of another one that keeps what was decoded."""
        assert self.folder is not None, "the flag is required"
        given = (self.folder, Path(cache), progress, self.on_bad_image)
        return native_crops.load(*given, naming=self.naming, white=self.white)


def define(required: bool) -> CropFlags:
    """Defines the flags; `--data` is required or not."""
    return CropFlags(
        flags.DEFINE_string(
            "data", None, "Folder of crops: defective/ and non_defective/, or a manifest.csv.", required=required
        ),
        flags.DEFINE_enum("on_bad_image", "fail", ON_BAD_IMAGE, "What to do about images that cannot be used."),
        setting_flags.define(CropNaming),
        setting_flags.define(SampleBits),
    )
