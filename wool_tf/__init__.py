"""Recognition of defective mineral wool: pruned ResNets from X-ray crops to a board.

Importing this package imports neither Keras nor TensorFlow; the modules that need them do.
"""

import os

from wool_tf.errors import WoolError

__all__ = ["WoolError"]
__version__ = "0.1.0"

# TensorFlow reads it once, as it is imported. By itself it leaves oneDNN off on processors without AVX-512 VNNI, where
# a training step then takes two to four times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
