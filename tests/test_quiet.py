"""What importing Keras leaves behind, and what comes before it."""

import gc
import subprocess
import sys

import checkout
from wool_tf import quiet


def test_garbage_is_collected_again_once_keras_is_imported():
    quiet.import_keras()
    frozen = gc.get_freeze_count()
    # What has been made since is not to be kept for good by another call.
    made = [[] for _ in range(100)]
    quiet.import_keras()
    assert gc.isenabled() and gc.get_freeze_count() == frozen and made


def test_triton_is_imported_before_tensorflow(tmp_path):
    # A real one, imported after TensorFlow, ends the process: no message, no traceback of Python's.
    note = "import sys; early = 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    (tmp_path / "triton.py").write_text(note)
    program = "import sys; from wool_tf import quiet; quiet.import_keras(); import tensorflow"
    program += "; sys.exit(0 if sys.modules['triton'].early else 'late')"
    command, given = [sys.executable, "-c", program], checkout.environment(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=given)
    assert done.returncode == 0, done.stderr[-500:]


def test_many_short_trainings_say_nothing():
    program = """
from wool_tf import quiet
quiet.import_keras()
import tensorflow as tf
for _ in range(9):
    tf.function(lambda value: value + 1)(tf.constant(1.0))
traced = tf.function(lambda value: value)
for number in range(9):
    traced(number)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "retracing" not in done.stderr
