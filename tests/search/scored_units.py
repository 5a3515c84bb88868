"""Units of work that write scores and train nothing; processes that do them import this module and no test."""

import functools

from wool_tf.errors import Divergence
from wool_tf.networks.unit_records import Result
from wool_tf.study.driver import Unit


def work(log, name, fold, settings, product, progress, attempt):
    """Scores that are better the smaller the batch is; training runs off with batches of 32."""
    with open(log, "a") as file:
        file.write(f"{settings.batch_size} {name}\n")
    if settings.batch_size == 32:
        raise Divergence("ran off")
    product.parent.mkdir(parents=True, exist_ok=True)
    product.write_text("a network")
    labels = fold.dataset.labels[fold.held_out]
    sure = 0.9 if settings.batch_size == 16 else 0.7
    scores = tuple(sure if label else 1 - sure for label in labels)
    return Result(stage="", seed=0, images="", environment={}, held_out=tuple(fold.held_out.tolist()), scores=scores)


def chains(log, settings, fold, keep):
    chain = []
    for stage, needs in (("baseline", ()), ("hard1", (f"{fold.name}/baseline",))):
        name, product = f"{fold.name}/{stage}", fold.checkpoint(stage)
        doing = functools.partial(work, log, name, fold, settings, product)
        chain.append(Unit(name, doing, 1.0, product, needs, keep))
    return [chain]
