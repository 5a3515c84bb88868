"""Records, documents and states that are changed at random are read, count as not there, or are refused in one line."""

import dataclasses
import json
import math
import random

import numpy as np
import pytest

import benchmark_sample
import mutations
import study_sample
from wool_board.belt import state as states
from wool_board.belt.resumption import resume
from wool_board.belt.state import State
from wool_board.machine.clocks import Moment
from wool_tf import records
from wool_tf.data import run_document
from wool_tf.data.imaging import Imaging
from wool_tf.data.native_crops import Crops
from wool_tf.errors import WoolError
from wool_tf.report import boards
from wool_tf.study import results, run_binding, units
from wool_tf.study.units import Unit
from wool_tf.training.config import TrainingConfig

pytestmark = pytest.mark.slow
ENDLESS = (b"[" * 10**5, b'{"a":' * 10**5, b"1" * 10**5)
"""What no parser goes through to its end."""

A_STATE = State(100.0, 120.0, 1.7e9, 0.01, False, None, {"dead": [3]}, "a", 5.0, True)
FOLDS = [[np.array([0, 3]), np.array([1, 2])]]
BOARD = benchmark_sample.written(
    "Raspberry Pi 5", benchmark_sample.model("a/b.tflite", 5.0, precision="int8"), warnings=("hot",)
)


def written(document: object, rng: random.Random) -> bytes:
    plain = json.dumps(document).encode()
    how = rng.randrange(10)
    if how == 0:
        return rng.choice(ENDLESS)
    return mutations.as_json(mutations.reshaped(document, rng)) if how < 7 else mutations.changed(plain, [plain], rng)


def refused(error: WoolError) -> str:
    assert "\n" not in str(error) and len(str(error)) < 2000, str(error)
    return "refused"


@pytest.fixture(scope="module")
def study():
    return records.plain(study_sample.sample(recipes=(("adam", "none"),), asfp_rates=(), controls=()))


def of_a_study(document: dict, path, rng: random.Random) -> str:
    path.write_bytes(written(document, rng))
    try:
        found = results.read(path)
    except WoolError as error:
        return refused(error)
    assert found.version == results.VERSION and isinstance(found.configurations, tuple)
    return "read"


def test_documents_of_studies(study, tmp_path):
    mutations.fuzz("documents of studies", lambda rng: of_a_study(study, tmp_path / "study.json", rng))


def test_records_of_units(tmp_path):
    made = study_sample.made(recipes=(("adam", "none"),), asfp_rates=(), controls=(), repeats=1)
    (one,) = made.configs
    name, record = next(iter(made.evidence.records.items()))
    record = records.plain(record)
    unit = Unit(name, run=print, cost=1.0)

    def attempt(rng: random.Random) -> str:
        path = unit.record(tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(record, rng))
        try:
            found = units.record(unit, tmp_path)
        except WoolError as error:
            return refused(error)
        if found is None:
            assert units.todo([unit], tmp_path) == [unit]
            return "not there"
        changed = dataclasses.replace(made.evidence, records=made.evidence.records | {name: found})
        try:
            ((trained, *_),) = changed.found(one, "baseline")
            assert trained is not None and all(map(math.isfinite, trained.scores))
            return "read"
        except WoolError as error:
            return refused(error)

    mutations.fuzz("records of units", attempt)


def test_folds_of_runs(tmp_path):
    plain = [[part.tolist() for part in parts] for parts in FOLDS]

    def attempt(rng: random.Random) -> str:
        (tmp_path / "folds.json").write_bytes(written(plain + plain, rng))
        try:
            run_binding.claim_folds(tmp_path, FOLDS)
            assert json.loads((tmp_path / "folds.json").read_bytes())[0] == plain[0]
            return "goes on"
        except WoolError as error:
            return refused(error)

    mutations.fuzz("folds of runs", attempt)


def test_documents_of_boards(tmp_path):
    def attempt(rng: random.Random) -> str:
        path = tmp_path / "board.json"
        path.write_bytes(written(BOARD, rng))
        try:
            found = boards.compare({str(path): boards.read(path)}, reference=1)
        except WoolError as error:
            return refused(error)
        for text in (boards.to_text(found), boards.to_markdown(found), boards.to_csv(found)):
            text.encode()
        return "read"

    mutations.fuzz("documents of boards", attempt)


def test_states_of_inspections(tmp_path):
    whole = {"format": 1, **dataclasses.asdict(A_STATE)}

    def attempt(rng: random.Random) -> str:
        path = tmp_path / "state.json"
        path.write_bytes(written(whole, rng))
        found = states.read(path)
        if found is None:
            return "not there"
        for speed in (None, 1000.0):
            resumed = resume(
                found, Moment(1.7e9 + rng.choice((-5, 5, 10**7)), rng.choice("ab"), 9.0, True), speed, "ours"
            )
            json.dumps(resumed.fields(), allow_nan=False)
            assert math.isfinite(resumed.first_mm) and resumed.first_mm >= resumed.told_mm >= 0
        return "read"

    mutations.fuzz("states of inspections", attempt)


@dataclasses.dataclass(frozen=True)
class Images:
    """What `of` asks of a dataset."""

    fingerprint: str = "ab" * 32


def test_whose_a_folder_is(tmp_path):
    configs = [TrainingConfig(depth=depth, rounds=1, final="hard1") for depth in (18, 34)]
    crops = Crops(Images("cd" * 32), Imaging(48, (0.0, 1.1)), tmp_path)
    ours = [run_binding.of(configs[:number], Images(), crops) for number in (1, 2)]
    whole = tmp_path / "whole"
    run_binding.claim(whole, ours[1])
    plain = json.loads((whole / "run.json").read_bytes())
    out = tmp_path / "out"
    (out / "units").mkdir(parents=True)

    def attempt(rng: random.Random) -> str:
        (out / "run.json").write_bytes(written(plain, rng))
        try:
            remark = run_binding.claim(out, rng.choice(ours))
        except WoolError as error:
            return refused(error)
        assert remark is None or "\n" not in remark
        found = run_document.read(out)
        assert found.settings | plain["settings"] == found.settings
        assert (found.images, found.imaging) == (ours[1].images, ours[1].imaging)
        return "goes on"

    mutations.fuzz("whose a folder is", attempt)
