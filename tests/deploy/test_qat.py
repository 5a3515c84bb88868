import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from deploy_networks import SIDE, framed, network, pictures

from wool_tf.deploy.qat import launch
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec

PYTHON = sys.executable
TINY = ResNetSpec.full(18, 2, (32, 32, 1))
TINY = TINY.resized({group: 4 for group in TINY.by_group()})


def ignore(done: float, what: str) -> None:
    pass


def request(spec=TINY, images=None, labels=(0, 1), config=None, **settings):
    """Fine-tunes random weights."""
    images = np.zeros((2, 35, 35), np.uint8) if images is None else images
    settings = {"progress": ignore} | settings
    return launch.convert(
        spec, weights.initial(spec, 0), images, np.array(labels), config or launch.QatConfig(), **settings
    )


def margins(tflite: bytes, images: np.ndarray) -> np.ndarray:
    from wool_tf.deploy.tflite_scores import predict

    scores = predict(tflite, images).astype(np.float64)
    return np.log(scores / (1 - scores))


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Lets a shell script be the process that answers; its fourth argument is the request's folder."""

    def put(script: str) -> None:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\nfolder=$4\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return put


def test_the_process_gets_the_request_and_gives_the_file(stand_in, tmp_path):
    stand_in(f"cp -r $folder {tmp_path}/seen; printf model > $folder/qat.tflite")
    images, arrays = np.arange(2 * 48 * 48).reshape(2, 48, 48).astype(np.uint8), weights.initial(TINY, 0)
    assert request(images=images, config=launch.QatConfig(3, 2, 0.5, 7), side=48, heatmap=True) == b"model"
    seen = tmp_path / "seen"
    spec, found = weights.load(seen / "network.safetensors")
    assert spec == TINY and all(np.array_equal(found[key], arrays[key]) for key in arrays)
    np.testing.assert_array_equal(np.load(seen / "images.npy", allow_pickle=False), images)
    np.testing.assert_array_equal(np.load(seen / "labels.npy", allow_pickle=False), [0, 1])
    course = {"epochs": 3, "batch_size": 2, "learning_rate": 0.5, "seed": 7}
    assert json.loads((seen / "request.json").read_text()) == {"config": course, "side": 48, "heatmap": True}


def test_progress_is_passed_on(stand_in):
    stand_in("""echo '{"done": 0.5, "what": "half"}'; echo '{"done": 1.0, "what": "all"}'; touch $folder/qat.tflite""")
    told = []
    request(progress=lambda *words: told.append(words))
    assert told == [(0.5, "half"), (1.0, "all")]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("""echo noise >&2; echo '{"failure": "the loss became nan"}'; exit 1""", r"^the loss became nan$"),
        ("printf 'Traceback:\\n  a line\\nMemoryError: all\\n' >&2; exit 1", r"^qat: .* failed \(MemoryError: all\)$"),
        ("exit 3", r"^qat: its process failed \(exit code 3\)$"),
        ("kill -9 $$", r"^qat: its process was ended by signal 9; is there memory enough\?$"),
    ],
)
def test_a_failure_of_the_process_is_one_line(script, message, stand_in):
    stand_in(script)
    with pytest.raises(WoolError, match=message):
        request()


def test_an_interruption_ends_the_process(stand_in, tmp_path):
    stand_in(f"""echo $$ > {tmp_path}/pid; echo '{{"done": 0.5, "what": "half"}}'; exec sleep 60""")

    def interrupt(done, what):
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        request(progress=interrupt)
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


PARENT = """
import sys
import numpy as np
from wool_tf.deploy.qat import launch
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
sys.executable = sys.argv[1]
spec = ResNetSpec.full(18, 2, (32, 32, 1))
image, arrays = np.zeros((1, 35, 35), np.uint8), weights.initial(spec, 0)
launch.convert(spec, arrays, image, np.array([1]), launch.QatConfig(), progress=print)
print([name for name in ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization") if name in sys.modules])
"""


def test_the_parent_imports_no_tensorflow(stand_in):
    stand_in("touch $folder/qat.tflite")
    ran = subprocess.run([PYTHON, "-c", PARENT, sys.executable], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")


RGB = ResNetSpec.full(18, 2, (32, 32, 3))
OBLONG = ResNetSpec.full(18, 2, (32, 48, 1))
THREE = ResNetSpec.full(18, 3, (32, 32, 1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spec": RGB}, r"^input_shape: .* square crops of 1 grey channel, got \(32, 32, 3\)$"),
        ({"spec": OBLONG}, r"^input_shape: .* square crops of 1 grey channel, got \(32, 48, 1\)$"),
        ({"spec": THREE, "heatmap": True}, "^heatmap: shows the margin between 2 classes, got a network with 3$"),
        ({"images": np.zeros((0, 32, 32), np.uint8), "labels": []}, "^images: .* at least 1 image, got none$"),
        ({"images": np.zeros((2, 32, 31), np.uint8)}, r"^images: .*\(n, 35, 35\), got uint8 of shape \(2, 32, 31\)$"),
        ({"images": np.zeros((2, 35, 35))}, r"^images: .*, got float64 of shape \(2, 35, 35\)$"),
        ({"side": 48}, r"^images: .*\(n, 48, 48\), got uint8 of shape \(2, 35, 35\)$"),
        ({"labels": [0]}, "^labels: .* one from 0 to 1 for each of the 2 images$"),
        ({"labels": [0, 2]}, "^labels: .* one from 0 to 1 for each of the 2 images$"),
    ],
)
def test_refuses_what_does_not_fit(settings, message):
    with pytest.raises(WoolError, match=message):
        request(**settings)


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", -1), ("batch_size", 0), ("learning_rate", -0.1), ("learning_rate", float("nan"))]
)
def test_refuses_courses_that_make_no_sense(name, value):
    with pytest.raises(WoolError, match=rf"^{name}={value}: must be at least [01]( and finite)?$"):
        launch.QatConfig(**{name: value})


COMPARISON = """
import json, sys
import numpy as np
from wool_tf.deploy.qat import resnet
from wool_tf.errors import WoolError
from wool_tf.networks import weights
for file in sys.argv[1:]:
    spec, arrays = weights.load(file)
    images = np.load(file + ".npy")
    model = resnet.build(spec, arrays)
    resnet.check_agreement(model, arrays, images)
    changed = dict(arrays, **{"layer3.0.bn1.running_var": arrays["layer3.0.bn1.running_var"] * 1.1})
    try:
        resnet.check_agreement(model, changed, images)
        refusal = None
    except WoolError as error:
        refusal = str(error)
    print(json.dumps({"logits": model(images, training=False).numpy().tolist(), "refusal": refusal}))
"""


@pytest.mark.slow
def test_tf_keras_gives_the_logits_of_keras(odd, bottlenecks, tmp_path):
    from wool_tf.data import pixels
    from wool_tf.data.batches import centre_crop

    paths = []
    for case in (odd, bottlenecks):
        paths.append(str(tmp_path / f"{len(paths)}.safetensors"))
        weights.save(tmp_path / paths[-1], case.model.spec, weights.read(case.model))
        np.save(f"{paths[-1]}.npy", pixels.normalise(centre_crop(case.images, SIDE)))
    ran = subprocess.run([sys.executable, "-c", COMPARISON, *paths], capture_output=True, text=True, check=True)
    for case, line in zip((odd, bottlenecks), ran.stdout.splitlines(), strict=True):
        found = json.loads(line)
        np.testing.assert_allclose(found["logits"], case.logits, rtol=1e-5, atol=1e-4)
        assert found["refusal"].startswith("tf_keras: logits differ from Keras' by ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["odd", "bottlenecks"])
def test_without_training_it_follows_the_logits_of_keras(name, request):
    case = request.getfixturevalue(name)
    calibration, labels = framed(pictures(20, seed=3)), np.arange(20) % 2
    arrays = weights.read(case.model)
    tflite = launch.convert(case.model.spec, arrays, calibration, labels, launch.QatConfig(epochs=0), progress=ignore)
    expected, found = case.logits[:, 1] - case.logits[:, 0], margins(tflite, case.images)
    assert np.corrcoef(expected, found)[0, 1] > 0.95
    assert np.abs(found - expected).mean() < 0.3 * expected.std()
    from wool_tf.deploy.tflite_file import describe

    ours, int8 = describe(tflite), describe(case.int8)
    assert (ours["input"], ours["operators"]) == (int8["input"], int8["operators"])


@pytest.mark.slow
def test_a_course_without_steps_of_any_length_changes_little_of_native_crops_and_heatmaps(odd):
    from ai_edge_litert.interpreter import Interpreter

    from wool_tf.deploy.tflite_file import convert, describe

    side = SIDE * 2
    images = np.kron(pictures(20, seed=3), np.ones((1, 2, 2), np.uint8))
    told, arrays = [], weights.read(odd.model)
    config = launch.QatConfig(epochs=2, batch_size=8, learning_rate=0)
    labels = np.arange(20) % 2
    tflite = launch.convert(
        odd.model.spec, arrays, images, labels, config, side, True, progress=lambda *words: told.append(words)
    )
    assert [done for done, _ in told] == [0.5, 1.0]
    assert [what[:9] for _, what in told] == ["epoch 1/2", "epoch 2/2"]
    float32, int8 = (convert(odd.model, precision, images, side, True) for precision in ("fp32", "int8"))
    expected, found = margins(float32, images), margins(tflite, images)
    assert np.corrcoef(expected, found)[0, 1] > 0.95
    assert np.abs(found - expected).mean() < 0.3 * expected.std()
    for end in ("input", "heatmap"):
        ours, theirs = describe(tflite)[end], describe(int8)[end]
        assert (ours["dtype"], ours["shape"]) == (theirs["dtype"], theirs["shape"])
    assert describe(tflite)["input"] == describe(int8)["input"]
    (signature,) = Interpreter(model_content=tflite).get_signature_list().values()
    assert sorted(signature["outputs"]) == ["heatmap", "logits"]
    np.testing.assert_allclose(heatmaps(tflite, images).mean(axis=(1, 2)), found, atol=0.2 * expected.std())


def heatmaps(tflite: bytes, images: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_content=tflite)
    opened.allocate_tensors()
    image = opened.get_input_details()[0]
    (heatmap,) = (output for output in opened.get_output_details() if len(output["shape"]) == 4)
    scale, zero_point = heatmap["quantization"]
    found = []
    for pixels in images:
        opened.set_tensor(image["index"], pixels[np.newaxis, ..., np.newaxis])
        opened.invoke()
        found.append((opened.get_tensor(heatmap["index"])[0, ..., 0].astype(np.float64) - zero_point) * scale)
    return np.array(found)


@pytest.mark.slow
def test_learns_and_gives_the_same_bytes_again():
    from wool_tf.data import pixels

    rng = np.random.default_rng(0)
    labels = np.arange(48) % 2
    images = np.clip(rng.normal(np.where(labels, 150, 100)[:, None, None], 25, (48, 32, 32)), 0, 255).astype(np.uint8)
    model = network(TINY)
    before = np.asarray(model(pixels.normalise(images[32:]), training=False))
    assert ((before[:, 1] > before[:, 0]) == labels[32:]).mean() < 0.8
    images = framed(images)
    course, arrays = launch.QatConfig(epochs=10, batch_size=8, learning_rate=3e-2), weights.read(model)
    first, again = (launch.convert(TINY, arrays, images[:32], labels[:32], course, progress=ignore) for _ in range(2))
    assert ((margins(first, images[32:]) > 0) == labels[32:]).all()
    assert first == again


@pytest.mark.slow
def test_a_training_that_diverges_is_one_line():
    config = launch.QatConfig(epochs=3, batch_size=2, learning_rate=3e38)
    with pytest.raises(WoolError, match="^[^\n]* became [^\n]* the fine-tuning; lower its learning rate$"):
        request(config=config)


@pytest.mark.slow
def test_a_layer_that_says_nothing_is_one_line():
    arrays = weights.read(network(TINY))
    arrays["layer2.0.bn1.bias"][:] = -50
    images = framed(pictures(4, seed=7)[:, :32, :32])
    with pytest.raises(WoolError, match=r"^qat: [^\n]*$"):
        launch.convert(TINY, arrays, images, np.arange(4) % 2, launch.QatConfig(epochs=0), progress=ignore)
