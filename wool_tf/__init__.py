"""Recognition of defective mineral wool: pruned ResNets from X-ray crops to a board.

Importing this package imports neither Keras nor TensorFlow; the modules that need them do.
"""

from wool_tf.errors import WoolError

__all__ = ["WoolError"]
__version__ = "0.1.0"
