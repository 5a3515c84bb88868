"""Large convolutions of 8-bit integers as TFLite files: about the most that a processor computes in this interpreter.

Their channels fill every tile of the kernels, and the work between the tiles hardly counts.
"""

import dataclasses
import warnings
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class SquareConvolution:
    """A convolution with padding.

    Attributes:
        kernel: side of its kernel.
        channels: that it reads, and that it writes.
        side: of its image, in pixels.
    """

    kernel: int
    channels: int
    side: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return (self.kernel * self.channels * self.side) ** 2

    @property
    def name(self) -> str:
        return f"{self.kernel}×{self.kernel}, {self.channels} channels, {self.side}×{self.side} pixels"


CONVOLUTIONS = (SquareConvolution(3, 256, 28), SquareConvolution(3, 512, 14), SquareConvolution(1, 512, 28))
"""Which one is best depends on the processor's caches."""


def write(convolution: SquareConvolution, folder: Path) -> Path:
    """Writes the TFLite file of a convolution with random weights; returns its path."""
    import tensorflow as tf

    from wool_tf.quiet import quiet

    rng = np.random.default_rng(0)
    kernel, channels, side = convolution.kernel, convolution.channels, convolution.side
    weights = rng.normal(size=(kernel, kernel, channels, channels)).astype(np.float32)
    shape = (1, side, side, channels)
    function = tf.function(lambda image: tf.nn.conv2d(image, weights, 1, "SAME"))
    traced = function.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: [[rng.normal(size=shape).astype(np.float32)]]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet(), warnings.catch_warnings():
        # It says that there are no statistics of what it has just been given images for.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        content = converter.convert()
    path = folder / f"convolution-{kernel}-{channels}-{side}.tflite"
    path.write_bytes(content)
    return path
