"""What importing Keras leaves behind."""

import gc

from wool_tf import quiet


def test_garbage_is_collected_again_once_keras_is_imported():
    quiet.import_keras()
    frozen = gc.get_freeze_count()
    # What has been made since is not to be kept for good by another call.
    made = [[] for _ in range(100)]
    quiet.import_keras()
    assert gc.isenabled() and gc.get_freeze_count() == frozen and made
