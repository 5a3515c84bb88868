import dataclasses
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from deploy_networks import SIDE, network, pictures
from scipy.special import expit

import card_sample
from wool_board.model.card import Card, CardDecision, CardInput, CardModel
from wool_tf.deploy import microcontroller
from wool_tf.errors import WoolError

PROGRAM = r"""
#include <cstdio>
#include "compact-int8.h"
#include "compact-int8.h"

namespace model = wool_compact_int8;

struct Resolver {
  int added = 0, refused_from = 1000;
  int add(const char* name) { std::printf("%s ", name); return added++ >= refused_from; }
  int AddAdd() { return add("ADD"); }
  int AddConv2D() { return add("CONV_2D"); }
  int AddFullyConnected() { return add("FULLY_CONNECTED"); }
  int AddMaxPool2D() { return add("MAX_POOL_2D"); }
  int AddMean() { return add("MEAN"); }
  int AddPad() { return add("PAD"); }
  int AddQuantize() { return add("QUANTIZE"); }
  int AddReshape() { return add("RESHAPE"); }
  int AddSpaceToDepth() { return add("SPACE_TO_DEPTH"); }
  int AddStridedSlice() { return add("STRIDED_SLICE"); }
  int AddTranspose() { return add("TRANSPOSE"); }
};

int main() {
  Resolver all, two;
  two.refused_from = 2;
  bool added = model::add_operators(all);
  std::printf("\n%d %d %u %d\n", added, all.added, model::operators, model::add_operators(two));
  std::printf("%d %d %.9g %.9g %d %.9g %d\n", int(reinterpret_cast<std::uintptr_t>(model::model) % 16), model::side,
              model::threshold, model::input_scale, model::input_zero_point, model::logits_scale,
              model::logits_zero_point);
  std::printf("%s %s\n", model::labels[0], model::labels[1]);
  for (int first = -128; first < 128; first += 5)
    for (int second = -128; second < 128; ++second) {
      const std::int8_t logits[] = {std::int8_t(first), std::int8_t(second)};
      std::putchar(model::is_defective(logits) ? '1' : '0');
    }
  std::putchar('\n');
  std::fwrite(model::model, 1, model::model_bytes, stdout);
}
"""


def card(flatbuffer: bytes, threshold: float = 0.37, side: int = SIDE) -> Card:
    decision = CardDecision(threshold=threshold, rule="a miss costs as much as 3 false alarms, on 430 training images")
    image = CardInput(side=side, margin=0.0, pixels="grey, 255 is air", window=(0.0, 1.071), pixel_mm=0.8)
    model = CardModel(bytes=len(flatbuffer), sha256="ef" * 32)
    return card_sample.card(decision=decision, input=image, model=model)


def opened(tflite: bytes, **settings):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite, **settings)
    interpreter.allocate_tensors()
    return interpreter


def quantisation(tflite: bytes) -> tuple[tuple[float, int], tuple[float, int]]:
    interpreter = opened(tflite)
    return interpreter.get_input_details()[0]["quantization"], interpreter.get_output_details()[0]["quantization"]


@pytest.fixture
def unmeasured(monkeypatch):
    monkeypatch.setattr(microcontroller, "installed", lambda: False)


@pytest.fixture
def reference():
    return pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="needs the extra micro", exc_type=ImportError
    )


def test_the_compiled_array_is_the_model_and_its_header_the_card(odd, unmeasured, tmp_path):
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    texts = microcontroller.c_array(odd.int8, card(odd.int8), "compact-int8")
    assert sorted(texts) == ["compact-int8.cc", "compact-int8.h"]
    for name, text in (texts | {"main.cc": PROGRAM}).items():
        (tmp_path / name).write_text(text)
    strict = ["-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    subprocess.run(["g++", *strict, "main.cc", "compact-int8.cc", "-o", "program"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout
    operators, counts, numbers, labels, decisions, tflite = printed.split(b"\n", 5)

    assert tflite == odd.int8
    found = {node["op_name"] for node in opened(odd.int8)._get_ops_details()} - {"DELEGATE"}
    # The second resolver refuses the third.
    assert operators.decode().split() == [*sorted(found), *sorted(found)[:3]]
    assert list(map(int, counts.split())) == [1, len(found), len(found), 0]
    image, logits = quantisation(odd.int8)
    assert list(map(float, numbers.split())) == pytest.approx([0, SIDE, 0.37, *image, *logits], rel=1e-6)
    assert labels.decode().split() == list(card_sample.card().labels)
    first, second = np.arange(-128, 128, 5), np.arange(-128, 128)
    expected = expit((second[np.newaxis] - first[:, np.newaxis]) * logits[0]) >= 0.37
    assert 0 < expected.mean() < 1
    assert decisions.decode() == "".join("01"[int(defective)] for defective in expected.ravel())


@pytest.mark.parametrize(("threshold", "least"), [(0.0, -255), (1.0, 256)])
def test_some_thresholds_call_everything_defective_or_nothing(odd, unmeasured, threshold, least):
    (_, scale), margin = quantisation(odd.int8), 255
    assert scale[0] * margin < 30
    header = microcontroller.c_array(odd.int8, card(odd.int8, threshold), "m")["m.h"]
    assert f"least_difference = {least};" in header


def test_the_header_says_that_the_arena_was_not_measured(odd, unmeasured):
    header = microcontroller.c_array(odd.int8, card(odd.int8), "m")["m.h"]
    assert "'.[micro]'" in header and "arena_bytes" not in header
    with pytest.raises(WoolError, match=re.escape("pip install -c constraints.txt -e '.[micro]'")):
        microcontroller.arena_bytes(odd.int8)


def test_float_models_have_no_c_source(odd, unmeasured):
    with pytest.raises(WoolError, match=r"uint8 to int8 .* got one from float32 to float32"):
        microcontroller.c_array(odd.fp32, card(odd.fp32), "m")


@pytest.mark.parametrize("name", ["", "a b", "../m", 'm"', ".hidden"])
def test_refuses_names_that_are_no_file_names(odd, unmeasured, name):
    with pytest.raises(WoolError, match="name of C source"):
        microcontroller.c_array(odd.int8, card(odd.int8), name)


def test_refuses_the_card_of_another_model(odd, unmeasured):
    other = card(odd.int8[:-1])
    with pytest.raises(WoolError, match="its card is of one with"):
        microcontroller.c_array(odd.int8, other, "m")


def test_a_rule_of_several_lines_stays_a_comment(odd, unmeasured):
    decision = CardDecision(threshold=0.37, rule="first\n#error second")
    lines = dataclasses.replace(card(odd.int8), decision=decision)
    header = microcontroller.c_array(odd.int8, lines, "m")["m.h"]
    assert "first #error second" in header and "\n#error" not in header


def in_micro(interpreter, images: np.ndarray) -> np.ndarray:
    """Integer logits of TensorFlow Lite Micro."""
    found = []
    for image in images:
        interpreter.set_input(image[np.newaxis, ..., np.newaxis], 0)
        interpreter.invoke()
        found.append(interpreter.get_output(0)[0])
    return np.array(found)


def in_litert(tflite: bytes, images: np.ndarray) -> np.ndarray:
    """Integer logits of LiteRT's reference kernels, which are TensorFlow Lite Micro's too."""
    from ai_edge_litert.interpreter import OpResolverType

    interpreter = opened(tflite, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    source, sink = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    found = []
    for image in images:
        interpreter.set_tensor(source, image[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(sink)[0])
    return np.array(found)


def test_the_arena_is_the_smallest_in_which_the_model_runs(odd, reference, capfd):
    arena = microcontroller.arena_bytes(odd.int8)
    assert capfd.readouterr().err == ""
    with pytest.raises(RuntimeError, match="allocate"):
        reference.Interpreter.from_bytes(odd.int8, arena_size=arena - microcontroller.ALIGNMENT)
    interpreter = reference.Interpreter.from_bytes(odd.int8, arena_size=arena)
    found = in_micro(interpreter, odd.images[:10])
    assert len(np.unique(found)) > 10
    np.testing.assert_array_equal(found, in_litert(odd.int8, odd.images[:10]))


def test_a_microcontroller_decides_as_a_board(odd, reference):
    from wool_tf.deploy.tflite_scores import predict

    interpreter = reference.Interpreter.from_bytes(odd.int8, arena_size=microcontroller.LARGEST_ARENA)
    logits = in_micro(interpreter, odd.images).astype(int)
    found = expit((logits[:, 1] - logits[:, 0]) * quantisation(odd.int8)[1][0])
    # XNNPACK rounds otherwise, which random weights amplify.
    assert np.abs(found - predict(odd.int8, odd.images)).mean() < 0.05


def test_the_header_says_the_arena(odd, reference):
    header = microcontroller.c_array(odd.int8, card(odd.int8), "m")["m.h"]
    assert f"arena_bytes = {microcontroller.arena_bytes(odd.int8)};" in header


@pytest.mark.parametrize("damage", [lambda tflite: b"hello", lambda tflite: tflite[:-1000]])
def test_what_the_runtime_cannot_run_is_one_line(odd, reference, damage):
    with pytest.raises(WoolError, match="TensorFlow Lite Micro cannot run the model") as raised:
        microcontroller.arena_bytes(damage(odd.int8))
    assert "\n" not in str(raised.value)


def test_a_model_with_an_operator_of_others_is_refused_with_its_name(unmeasured):
    with pytest.raises(WoolError, match="operators ATAN2, CUSTOM_A"):
        list(microcontroller._operators(["ADD", "ATAN2", "CUSTOM_A"], "m"))


def test_labels_are_escaped(odd, unmeasured):
    header = microcontroller.c_array(odd.int8, dataclasses.replace(card(odd.int8), labels=('a"b', "c")), "m")["m.h"]
    assert json.dumps('a"b') in header


@pytest.fixture(scope="module")
def resizing():
    """An int8 file that resizes and has a heatmap."""
    from wool_tf.deploy.tflite_file import convert
    from wool_tf.networks.spec import ResNetSpec

    spec = ResNetSpec.full(18, 2, (33, 33, 1))
    model = network(spec.resized({group: 4 for group in spec.by_group()}))
    crops = pictures(8, seed=1)[:, :48, :48]
    return convert(model, "int8", crops, side=48, heatmap=True), crops


def test_the_header_tells_the_outputs_apart(resizing, unmeasured):
    tflite, _ = resizing
    header = microcontroller.c_array(tflite, card(tflite, side=48), "m")["m.h"]
    constants = dict(re.findall(r"^constexpr \w+ (\w+) = ([-+.e\d]+)f?;$", header, re.MULTILINE))
    outputs = opened(tflite).get_output_details()
    logits, heatmap = outputs[int(constants["logits_output"])], outputs[int(constants["heatmap_output"])]
    assert tuple(logits["shape"]) == (1, 2)
    assert tuple(heatmap["shape"]) == (1, int(constants["heatmap_rows"]), int(constants["heatmap_columns"]), 1)
    for name, tensor in (("logits", logits), ("heatmap", heatmap)):
        stated = float(constants[f"{name}_scale"]), int(constants[f"{name}_zero_point"])
        assert stated == pytest.approx(tensor["quantization"], rel=1e-6)


def test_a_microcontroller_runs_models_that_resize(resizing, reference):
    tflite, crops = resizing
    interpreter = reference.Interpreter.from_bytes(tflite, arena_size=microcontroller.arena_bytes(tflite))
    outputs = [interpreter.get_output_details(number)["shape"].tolist() for number in (0, 1)]
    assert sorted(outputs, key=len) == [[1, 2], [1, 2, 2, 1]]
    interpreter.set_input(crops[:1, ..., np.newaxis], 0)
    assert interpreter.invoke() == 0
