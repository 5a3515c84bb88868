"""Starting weights: every source, every refusal, and the fold of the stem."""

import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.initial_weights import SIMULATED, digest, pretrained, resolve, starting_spec
from wool_tf.networks.spec import ResNetSpec
from wool_tf.training.config import TrainingConfig

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "weights" / "resnet18.safetensors"
GREY = ResNetSpec.full(18, classes=2, input_shape=(64, 64, 1))
COLOUR = ResNetSpec.full(18, classes=2, input_shape=(64, 64, 3))


def narrow(depth: int, classes: int = 2, channels: int = 3) -> ResNetSpec:
    """A network of a depth with four channels in every group."""
    full = ResNetSpec.full(depth, classes, (32, 32, channels))
    return full.resized(dict.fromkeys(full.by_group(), 4))


@pytest.fixture(scope="module")
def colour() -> dict:
    return weights.initial(COLOUR, seed=1)


@pytest.fixture
def small(tmp_path) -> tuple[ResNetSpec, dict, Path]:
    """A narrow network, its weights, and where to save a file of them."""
    spec = narrow(18)
    return spec, weights.initial(spec, seed=1), tmp_path / "w.safetensors"


def refusal(path, spec: ResNetSpec, **arguments) -> str:
    with pytest.raises(WoolError) as caught:
        resolve(str(path), spec, 0, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_none_is_the_seeded_initialisation():
    spec = narrow(18)
    ours, again, other = (resolve("none", spec, seed) for seed in (3, 3, 4))
    weights.check(ours, spec, "none")
    assert all(np.array_equal(ours[key], again[key]) for key in ours)
    assert not np.array_equal(ours["conv1.weight"], other["conv1.weight"])


class TestFile:
    def test_weights_come_through_unchanged_without_counters(self, small):
        spec, arrays, path = small
        save_file(arrays | {"bn1.num_batches_tracked": np.array(7)}, path)
        read = resolve(str(path), spec, 0)
        assert list(read) == list(weights.shapes(spec))
        assert all(np.array_equal(read[key], arrays[key]) for key in arrays)

    def test_own_checkpoint_keeps_pruned_widths_for_the_same_network(self, small):
        spec, arrays, path = small
        pruned = spec.resized({"layer2.0.conv1": 3})
        arrays = weights.initial(pruned, seed=1)
        weights.save(path, pruned, arrays)
        read = resolve(str(path), pruned, 0)
        assert all(np.array_equal(read[key], arrays[key]) for key in arrays)

    def test_pruned_checkpoint_for_a_wider_network_names_the_group(self, small):
        spec, _, path = small
        pruned = spec.resized({"layer2.0.conv1": 3})
        weights.save(path, pruned, weights.initial(pruned, seed=1))
        message = refusal(path, spec)
        assert "channel group layer2.0.conv1 has 3 channels, but the network needs 4" in message

    @pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
    def test_other_floats_become_float32(self, small, dtype):
        spec, arrays, path = small
        save_file({key: array.astype(dtype) for key, array in arrays.items()}, path)
        read = resolve(str(path), spec, 0)
        assert {array.dtype for array in read.values()} == {np.dtype(np.float32)}
        assert all(np.array_equal(read[key], arrays[key].astype(dtype).astype(np.float32)) for key in arrays)

    def test_integers_are_refused(self, small):
        spec, arrays, path = small
        save_file(arrays | {"layer1.0.conv1.weight": arrays["layer1.0.conv1.weight"].astype(np.int8)}, path)
        assert "layer1.0.conv1.weight holds I8" in refusal(path, spec)

    @pytest.mark.parametrize("value", [np.nan, 1e300])
    def test_what_is_not_finite_in_float32_is_refused(self, small, value):
        spec, arrays, path = small
        broken = arrays["layer3.1.bn2.running_var"].astype(np.float64)
        broken[2] = value
        save_file(arrays | {"layer3.1.bn2.running_var": broken}, path)
        assert "layer3.1.bn2.running_var holds values that are not finite" in refusal(path, spec)

    def test_missing_key(self, small):
        spec, arrays, path = small
        del arrays["layer1.1.bn2.bias"]
        save_file(arrays, path)
        assert "layer1.1.bn2.bias of a ResNet-18 is missing" in refusal(path, spec)

    def test_extra_key(self, small):
        spec, arrays, path = small
        save_file(arrays | {"layer4.2.conv1.weight": np.zeros(3, np.float32)}, path)
        assert "layer4.2.conv1.weight does not belong to a ResNet-18" in refusal(path, spec)

    def test_wrong_shape(self, small):
        spec, arrays, path = small
        save_file(arrays | {"layer2.0.downsample.0.weight": np.zeros((4, 4, 3, 3), np.float32)}, path)
        message = refusal(path, spec)
        assert "layer2.0.downsample.0.weight has the shape (4, 4, 3, 3), but the network needs (4, 4, 1, 1)" in message

    def test_head_without_sense_is_refused_even_where_it_would_be_replaced(self, small):
        spec, arrays, path = small
        save_file(arrays | {"fc.weight": np.zeros((7, 4), np.float32), "fc.bias": np.zeros(9, np.float32)}, path)
        assert "fc.weight has the shape (7, 4), but the network needs (9, 4)" in refusal(path, spec)

    @pytest.mark.parametrize("held", [34, 50, 101, 152])
    def test_other_depth_is_named_from_the_keys(self, small, held):
        spec, _, path = small
        save_file(weights.initial(narrow(held), seed=1), path)
        assert f"holds a ResNet-{held}, but the network is a ResNet-18" in refusal(path, spec)

    def test_other_depth_is_named_from_the_header(self, small):
        spec, _, path = small
        weights.save(path, narrow(34), weights.initial(narrow(34), seed=1))
        assert "holds a ResNet-34, but the network is a ResNet-18" in refusal(path, spec)

    def test_one_channel_cannot_become_three(self, small):
        spec, _, path = small
        save_file(weights.initial(narrow(18, channels=1), seed=1), path)
        assert "reads images of one channel, but the network reads three" in refusal(path, spec)

    @pytest.mark.parametrize(
        "header", ["{", '{"depth": 18}', '{"depth": [], "widths": 1, "classes": 1, "input_shape": 1}']
    )
    def test_damaged_header(self, small, header):
        spec, arrays, path = small
        save_file(arrays, path, metadata={"spec": header})
        assert "the spec in its header is damaged" in refusal(path, spec)

    def test_header_that_does_not_fit_its_arrays(self, small):
        spec, arrays, path = small
        save_file(arrays, path, metadata={"spec": narrow(18, classes=3).to_json()})
        assert "fc.weight has the shape (2, 4), but the network needs (3, 4)" in refusal(path, spec)

    @pytest.mark.parametrize("keep", [0, 5, 100, -1])
    def test_truncated_safetensors(self, small, keep):
        spec, arrays, path = small
        save_file(arrays, path)
        path.write_bytes(path.read_bytes()[:keep])
        assert "cannot be read as safetensors" in refusal(path, spec)

    def test_no_such_file(self, tmp_path):
        absent = refusal(tmp_path / "absent.safetensors", GREY)
        assert "no such file; give none, imagenet, simulated, simulated64 or a file" in absent
        assert "no such file" in refusal(tmp_path, GREY)

    def test_unknown_kind_of_file(self, tmp_path):
        path = tmp_path / "w.h5"
        path.write_bytes(b"")
        assert "ends in .safetensors, .pth, .pt, .keras" in refusal(path, GREY)


class TestFit:
    def test_new_head_for_other_classes_comes_from_the_seed(self, small):
        spec, arrays, path = small
        save_file(arrays, path)
        wanted = narrow(18, classes=5)
        read, again = resolve(str(path), wanted, seed=3), resolve(str(path), wanted, seed=3)
        weights.check(read, wanted, "fitted")
        fresh = weights.initial(wanted, seed=3)
        for key in read:
            assert np.array_equal(read[key], fresh[key] if key.startswith("fc.") else arrays[key])
            assert np.array_equal(read[key], again[key])

    def test_folded_stem_gives_what_three_equal_channels_gave(self, colour, tmp_path):
        import keras

        from wool_tf.networks.resnet import ResNet

        path = tmp_path / "w.safetensors"
        save_file(colour, path)
        folded = resolve(str(path), GREY, 0)
        assert folded["conv1.weight"].shape == (64, 1, 7, 7)
        models = {}
        for spec, arrays in ((COLOUR, colour), (GREY, folded)):
            models[spec] = ResNet(spec)
            weights.assign(models[spec], arrays)
        grey = np.random.default_rng(0).normal(size=(2, 64, 64, 1)).astype(np.float32)
        three, one = (
            keras.ops.convert_to_numpy(models[spec](image, training=False))
            for spec, image in ((COLOUR, np.repeat(grey, 3, axis=-1)), (GREY, grey))
        )
        assert np.abs(three).max() > 0.1
        np.testing.assert_allclose(one, three, rtol=0, atol=1e-5)

    @pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/weights/resnet18.safetensors")
    def test_real_imagenet_weights(self):
        from safetensors.numpy import load_file

        arrays = load_file(REAL)
        whole = resolve(str(REAL), ResNetSpec.full(18, 1000, (224, 224, 3)), 0)
        assert all(np.array_equal(whole[key], arrays[key]) for key in whole)
        grey = resolve(str(REAL), GREY, 0)
        weights.check(grey, GREY, "fitted")
        planes = arrays["conv1.weight"]
        expected = (planes[:, 0] + planes[:, 1] + planes[:, 2])[:, np.newaxis]
        np.testing.assert_allclose(grey["conv1.weight"], expected, rtol=0, atol=1e-6)
        assert "holds a ResNet-18" in refusal(REAL, ResNetSpec.full(50, 2, (64, 64, 1)))
        halved = GREY.resized({"layer1.0.conv1": 32})
        assert "layer1.0.conv1.weight has the shape (64, 64, 3, 3)" in refusal(REAL, halved)


# TensorFlow's variables do not know NumPy 2's copy keyword, which shows whenever Keras saves a model.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class TestKeras:
    @pytest.fixture
    def saved(self, small) -> tuple[ResNetSpec, dict, Path]:
        from wool_tf.networks.resnet import ResNet

        spec, arrays, path = small
        model, path = ResNet(spec), path.with_suffix(".keras")
        weights.assign(model, arrays)
        model.save(path)
        return spec, arrays, path

    def test_own_model(self, saved):
        spec, arrays, path = saved
        read = resolve(str(path), spec, 0)
        assert all(np.array_equal(read[key], arrays[key]) for key in arrays)
        assert "group layer1 has 4 channels, but the network needs 64" in refusal(path, COLOUR)

    def test_foreign_model_is_not_even_loaded(self, tmp_path, monkeypatch):
        import keras

        path = tmp_path / "foreign.keras"
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
        monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("was loaded"))
        assert "holds the Keras model None, but must hold a plain ResNet" in refusal(path, GREY)

    def test_damaged_models(self, saved):
        spec, _, path = saved
        with zipfile.ZipFile(path) as archive:
            config = archive.read("config.json")
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert "cannot be read as a Keras model" in refusal(path, spec)
        for content in (config, config.replace(b'"depth": 18', b'"depth": 19'), b"[]"):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("config.json", content)
                archive.writestr("metadata.json", json.dumps({}))
            assert "cannot be read as a Keras model" in refusal(path, spec)


class TestTorch:
    def test_without_torch(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", None)
        path = tmp_path / "w.pth"
        path.write_bytes(b"")
        assert "needs torch, which is not installed; install it or convert to safetensors" in refusal(path, GREY)

    def test_torch_with_a_leaky_loader(self, tmp_path, monkeypatch):
        torch = pytest.importorskip("torch")
        monkeypatch.setattr(torch, "__version__", "2.5.1")
        path = tmp_path / "w.pth"
        path.write_bytes(b"")
        assert "needs torch 2.6 or newer, found 2.5.1" in refusal(path, GREY)

    @pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
    @pytest.mark.parametrize("suffix", [".pth", ".pt"])
    def test_state_dict(self, small, dtype, suffix):
        torch = pytest.importorskip("torch")
        spec, arrays, path = small
        path = path.with_suffix(suffix)
        state = {key: torch.from_numpy(array).to(getattr(torch, dtype)) for key, array in arrays.items()}
        torch.save(state | {"bn1.num_batches_tracked": torch.tensor(7)}, path)
        read = resolve(str(path), spec, 0)
        assert all(np.array_equal(read[key], state[key].to(torch.float32).numpy()) for key in arrays)

    def test_what_is_no_plain_state_dict(self, small):
        torch = pytest.importorskip("torch")
        spec, arrays, path = small
        path = path.with_suffix(".pth")
        state = {key: torch.from_numpy(array) for key, array in arrays.items()}
        for content in ({"state_dict": state}, [1], torch.zeros(3)):
            torch.save(content, path)
            assert "is no plain state dict" in refusal(path, spec)
        torch.save(state | {"fc.bias": torch.tensor([1, 2])}, path)
        assert "fc.bias holds torch.int64" in refusal(path, spec)
        path.write_bytes(path.read_bytes()[:1000])
        assert "torch does not load it as plain weights" in refusal(path, spec)

    def test_pickle_is_never_executed(self, tmp_path):
        torch = pytest.importorskip("torch")
        path, trace = tmp_path / "w.pth", tmp_path / "trace"
        torch.save({"conv1.weight": Bomb(trace)}, path)
        assert "torch does not load it as plain weights" in refusal(path, GREY)
        assert not trace.exists()
        # Against a bomb that does not work: an ordinary unpickler sets it off.
        torch.load(path, weights_only=False)
        assert trace.exists()


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize(
    ("classes", "channels", "found"), [(1000, 3, True), (1000, 1, None), (2, 3, None), (1001, 3, None)]
)
def test_what_is_in_a_file_tells_whether_it_is_of_imagenet(tmp_path, classes, channels, found):
    spec = narrow(18, classes, channels)
    path = tmp_path / "anything.safetensors"
    save_file(weights.initial(spec, 0), path)
    assert pretrained(str(path)) is found
    weights.save(path, spec, weights.initial(spec, 0))
    assert pretrained(str(path)) is found


def test_weights_without_a_file(tmp_path):
    assert (pretrained("none"), pretrained("imagenet")) == (False, True)
    (tmp_path / "damaged.safetensors").write_bytes(b"no")
    for name in ("absent.safetensors", "damaged.safetensors", "what.txt"):
        assert pretrained(str(tmp_path / name)) is None


def test_real_weights_are_of_imagenet():
    if not REAL.exists():
        pytest.skip(f"no real weights here ({REAL})")
    assert pretrained(str(REAL)) is True


def test_a_training_from_a_pruned_network_begins_with_its_widths(small):
    spec, arrays, path = small
    weights.save(path, spec, arrays)
    full = ResNetSpec.full(18, classes=2, input_shape=(64, 64, 1))
    starting = starting_spec(str(path), full)
    assert starting == full.resized(spec.by_group())
    assert resolve(str(path), starting, 0)["conv1.weight"].shape == (4, 1, 7, 7)
    assert TrainingConfig(weights=str(path), image_size=64).initial_spec == starting


def test_a_file_that_changes_is_read_again(small):
    spec, arrays, path = small
    weights.save(path, spec, arrays)
    assert starting_spec(str(path), GREY).width("layer1") == 4
    other = GREY.resized({"layer1": 6})
    weights.save(path, other, weights.initial(other, seed=1))
    os.utime(path, ns=(1, 1))
    assert starting_spec(str(path), GREY).width("layer1") == 6


def test_files_that_do_not_say_what_they_hold_leave_the_network_whole(tmp_path):
    spec = narrow(18)
    save_file(weights.initial(spec, seed=1), tmp_path / "plain.safetensors")
    for choice in ("none", "imagenet", str(tmp_path / "plain.safetensors"), str(tmp_path / "missing.safetensors")):
        assert starting_spec(choice, GREY) == GREY


def test_another_depth_is_refused_when_it_is_read_and_not_before(small):
    spec, arrays, path = small
    weights.save(path, spec, arrays)
    deep = ResNetSpec.full(34, classes=2, input_shape=(64, 64, 1))
    assert starting_spec(str(path), deep) == deep
    assert "holds a ResNet-18, but the network is a ResNet-34" in refusal(path, deep)


@pytest.mark.parametrize("name", SIMULATED)
def test_simulated_weights_come_with_the_package(name):
    spec = starting_spec(name, GREY)
    assert spec.width("layer4") == 256
    arrays = resolve(name, spec, 0)
    weights.check(arrays, spec, name)
    assert pretrained(name) is None
    assert digest(name) == hashlib.sha256(SIMULATED[name].read_bytes()).hexdigest()
