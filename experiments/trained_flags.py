"""Flags of the scripts that work on a trained network and its images."""

from absl import flags

import console
import setting_flags
from wool_tf import WoolError
from wool_tf.data.dataset import ON_BAD_IMAGE
from wool_tf.data.sample_bits import SampleBits
from wool_tf.deploy.trained_network import Held, NetworkSource

_NETWORK = flags.DEFINE_string("network", None, "The network: a checkpoint (.safetensors) or .keras.", required=True)
_DATA = flags.DEFINE_string(
    "data", None, "Folder of crops: defective/ and non_defective/, or a manifest.csv.", required=True
)
_ON_BAD_IMAGE = flags.DEFINE_enum("on_bad_image", "fail", ON_BAD_IMAGE, "What to do about images that cannot be used.")
_BITS = setting_flags.define(SampleBits)
_FOLDS = flags.DEFINE_string("folds", None, "The folds.json of the run that trained the network.")
_REPEAT = flags.DEFINE_integer("repeat", 0, "Repeat of the cross-validation in --folds, from 0.", lower_bound=0)
_FOLD = flags.DEFINE_integer("fold", None, "The fold that the network held out, from 0.", lower_bound=0)
THREADS = flags.DEFINE_integer("threads", 1, "Threads that compute.", lower_bound=1)


def source() -> NetworkSource:
    """Where the network and its images are."""
    if (_FOLDS.value is None) != (_FOLD.value is None):
        raise WoolError("--folds and --fold go together; give both")
    held = None
    if _FOLDS.value is not None:
        held = Held(console.path("folds", _FOLDS.value), _REPEAT.value, _FOLD.value)
    bits = setting_flags.build(SampleBits, _BITS).bits
    network, data = console.path("network", _NETWORK.value), console.path("data", _DATA.value)
    return NetworkSource(network, data, _ON_BAD_IMAGE.value, held, bits)
