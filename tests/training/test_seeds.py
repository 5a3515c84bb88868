from itertools import product

from wool_tf.training.seeds import derive


def test_every_purpose_has_its_own():
    seeds = {derive(base, fold, stage) for base, fold, stage in product(range(20), ("fold0", "fold1"), ("a", "b", "c"))}
    assert len(seeds) == 20 * 2 * 3
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_it_stays_the_same():
    assert derive(3, "fold1", "hard2") == derive(3, "fold1", "hard2")
