"""Plots of schedules: how fast asymptotic soft pruning takes filters."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wool_tf.pruning.schedules import asymptotic
from wool_tf.report import naming, plots
from wool_tf.report.plots import BLUE, GREEN, GREY, VERMILION, Plot
from wool_tf.study.results import Study

LOOKS = ((BLUE, "o"), (VERMILION, "s"), (GREEN, "^"))


def asfp_rates(study: Study) -> Plot | None:
    """The share of every channel group that is zeroed after each epoch, of the rates that were trained."""
    parted = {naming.parted(stage.name) for one in study.configurations for stage in one.stages}
    goals = sorted(percent / 100 for kind, percent in parted if kind == "asfp")
    if not goals:
        return None
    epochs, plain = study.settings.asfp_epochs, study.settings.asfp_finetune_epochs
    rates = {goal: [100 * asymptotic(epoch, epochs, goal) for epoch in range(epochs)] for goal in goals}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, (goal, values) in enumerate(rates.items()):
            colour, marker = LOOKS[number % len(LOOKS)]
            axes.plot(range(1, epochs + 1), values, color=colour, marker=marker, ms=4, label=f"{100 * goal:g} %")
        if plain:
            axes.axvline(epochs + 0.5, color=GREY, ls="--", lw=1)
        axes.set(xlabel="epoch", ylabel="filters zeroed (%)", xlim=(0.5, epochs + plain + 0.5), ylim=(-0.5, None))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.grid()
        # Below the axes: inside, it would lie on the curves of low rates.
        figure.legend(loc="outside lower center", ncols=len(rates), title="rate at the end")

    text = (
        "Share of the filters of every group whose kernels are zeroed after each epoch: three quarters of it after "
        "an eighth of the epochs, the rest ever more slowly. Zeroed filters are trained on and may come back."
    )
    if plain:
        text += " Dashed: they are removed for good, and the compact network is trained on."
    alt = "Filters zeroed after each epoch: " + "; ".join(
        f"ASFP {100 * goal:g} %: {', '.join(f'{value:.1f}' for value in values)} %" for goal, values in rates.items()
    )
    return plots.drawn("Rate of ASFP over the epochs", text, alt, draw, height=3.0)
