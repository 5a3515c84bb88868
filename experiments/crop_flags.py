"""Flags of every script that reads crops: the folder, how its names are meant, and what to do about bad files."""

import dataclasses
from pathlib import Path

from absl import flags

from wool_tf.command_line import flag_values, setting_flags
from wool_tf.data import native_crops
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.data.native_crops import Crops
from wool_tf.data.sample_bits import SampleBits
from wool_tf.progress import Count

# --help shows the flags that are defined by calls of this module as those of the script that calls.
flags.disclaim_key_flags()


@dataclasses.dataclass(frozen=True)
class CropFlags:
    """The flags once they are defined; what they say is known when they are parsed."""

    _data: flags.FlagHolder
    _reading: setting_flags.Holders
    _naming: setting_flags.Holders
    _samples: setting_flags.Holders

    @property
    def folder(self) -> Path | None:
        """The folder of crops, or None where none is given."""
        return None if self._data.value is None else flag_values.folder("data", self._data.value)

    @property
    def reading(self) -> CropReading:
        """How the crops are to be read."""
        naming, bits = setting_flags.build(CropNaming, self._naming), setting_flags.build(SampleBits, self._samples)
        return setting_flags.build(CropReading, self._reading, naming=naming, white=bits.given_white)

    def load(self, cache: str, progress: Count | None = None) -> Crops:
        """The crops of the required folder, by way of another one that keeps what was decoded."""
        assert self.folder is not None, "the flag is required"
        return native_crops.load(self.folder, Path(cache), progress, self.reading)


def define(required: bool) -> CropFlags:
    """Defines the flags; `--data` is required or not."""
    return CropFlags(
        flags.DEFINE_string(
            "data", None, "Folder of crops: defective/ and non_defective/, or a manifest.csv.", required=required
        ),
        setting_flags.define(CropReading),
        setting_flags.define(CropNaming),
        setting_flags.define(SampleBits),
    )
