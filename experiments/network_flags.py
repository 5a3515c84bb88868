"""Flags of the scripts that work on a trained network and its images."""

from absl import flags

import crop_flags
from wool_tf import WoolError
from wool_tf.command_line import flag_values, setting_flags
from wool_tf.deploy.trained_network import Held, NetworkSource
from wool_tf.training.config import TrainingConfig

_NETWORK = flags.DEFINE_string("network", None, "The network: a checkpoint (.safetensors) or .keras.", required=True)
_CROPS = crop_flags.define(required=True)
_FOLDS_FILE = flags.DEFINE_string("folds_file", None, "The folds.json of the run that trained the network.")
_REPEAT = flags.DEFINE_integer("repeat", 0, "Repeat of the cross-validation in --folds_file, from 0.", lower_bound=0)
_FOLD = flags.DEFINE_integer("fold", None, "The fold that the network held out, from 0.", lower_bound=0)
_THREADS = setting_flags.define(TrainingConfig, only=("threads",))


def threads() -> int:
    """How many threads compute."""
    return setting_flags.build(TrainingConfig, _THREADS).threads


def source() -> NetworkSource:
    """Where the network and its images are."""
    if (_FOLDS_FILE.value is None) != (_FOLD.value is None):
        raise WoolError("--folds_file and --fold go together; give both")
    network, held = flag_values.file("network", _NETWORK.value), None
    if _FOLDS_FILE.value is not None:
        held = Held(flag_values.file("folds_file", _FOLDS_FILE.value), _REPEAT.value, _FOLD.value)
    folder = _CROPS.folder
    assert folder is not None, "the flag is required"
    return NetworkSource(network, folder, held, _CROPS.reading)
