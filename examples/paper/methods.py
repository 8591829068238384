"""The methods that the study compares: each is a configuration of the public estimators.

A method begins with a first phase, which it shares with others, and goes on with rounds of
questions. Its controls train for as many epochs: the same with random picks, and the same without
any answer.
"""

from dataclasses import dataclass, field

from noisyactive import ActiveLabelCleaner, CoTeachingClassifier, CoTeachingVOGClassifier
from noisyactive.cleaning import PAPER_PARAMS, CrossFit
from noisyactive.datasets import paper_transforms
from noisyactive.models import torchvision_classifier

STRATEGIES = (
    "random",
    "entropy",
    "coreset",
    "margin",
    "least_confidence",
    "bald",
    "label_disagreement",
    "rare_entropy",
)
# Chosen on validation parts; the paper's combinations do worse with it than with 0.01.
CROSSFIT_LR = 0.05
BALANCED = {"class_balance": 1}
# The defaults but for one part, to see what it brings.
WITHOUT = {
    "chance": {"random_share": 0},
    "first tuning": {"tune_first": False},
    "mean of two trainings": {"n_averaged": 1},
    "neighbours": {"neighbours": False},
    "learning from answers": {"learn_from_answers": False},
    "doubt of answers": {"fallible": False},
}


@dataclass(frozen=True)
class Phase:
    """A first phase: what is fitted, to which labels, and the cleaner's switches.

    Parameters
    ----------
    estimator : type
        Classifier.
    options : dict
        Its parameters.
    switches : dict
        Parameters of `ActiveLabelCleaner`.
    clean : bool
        Whether it is given the true labels, for the ceiling.
    """

    estimator: type
    options: dict
    switches: dict
    clean: bool = False


@dataclass(frozen=True)
class Method:
    """What follows a first phase.

    Parameters
    ----------
    phase : str
        Name of the first phase.
    strategy : str
        Who is asked about.
    answers : bool
        Whether the expert answers; if not, the model is tuned all the same.
    leak : bool
        Whether the true labels of all rows that the first phase trusted are given away after round
        1, as the authors' code does. Nobody pays for them.
    switches : dict
        Parameters of `ActiveLabelCleaner` that differ from the phase's.
    """

    phase: str
    strategy: str = "random"
    answers: bool = True
    leak: bool = False
    switches: dict = field(default_factory=dict)


def phases(mix_ratios):
    """First phases by name."""
    once = {name: PAPER_PARAMS[name] for name in ("pool", "trust", "class_balance")}
    verified = {"pool": "unverified", "trust": "verified", "class_balance": 0}
    everything = {"pool": "unverified", "trust": "all", "class_balance": 0}
    crossfit = {"pool": "unverified", "trust": "crossfit", "fine_tune_lr": CROSSFIT_LR}
    plain = {"forget_rate": 0}  # cross-entropy: the same two networks trust every label
    named = {
        "AL": Phase(CoTeachingClassifier, plain, {"initial_fit": "none", **verified}),
        "CE": Phase(CoTeachingClassifier, plain, verified),
        "CE on all": Phase(CoTeachingClassifier, plain, everything),
        "clean": Phase(CoTeachingClassifier, plain, everything, clean=True),
        # The first phase notes its forget rate; each method says whether it follows corrections.
        "ALC": Phase(
            CoTeachingClassifier, {}, {**everything, "refit": "continue", "lower_forget_rate": True}
        ),
    }
    named["crossfit clean"] = Phase(CoTeachingClassifier, plain, crossfit, clean=True)
    for m in mix_ratios:
        named[f"VOG m={m:g}"] = Phase(CoTeachingVOGClassifier, {"mix_ratio": m}, once)
        named[f"crossfit m={m:g}"] = Phase(CoTeachingVOGClassifier, {"mix_ratio": m}, crossfit)
        for part, switch in WITHOUT.items():
            switches = {**crossfit, "trust": CrossFit(**switch)}
            named[f"crossfit m={m:g}, without {part}"] = Phase(
                CoTeachingVOGClassifier, {"mix_ratio": m}, switches
            )
    return named


def methods(mix_ratios, strategies=STRATEGIES, leak=False):
    """Methods by name, in the order of the tables."""
    named = {
        "AL random": Method("AL"),
        "AL entropy": Method("AL", "entropy"),
        "CE + random": Method("CE"),
        "CE + entropy": Method("CE", "entropy"),
        "CE, no answers": Method("CE on all", answers=False),
    }
    stays, follows = {"lower_forget_rate": False}, {"lower_forget_rate": True}
    named |= {
        "ALC": Method("ALC", "label_disagreement", switches=stays),
        "ALC, rate lowered": Method("ALC", "label_disagreement", switches=follows),
        "ALC, random, rate lowered": Method("ALC", switches=follows),
        "ALC, no answers": Method("ALC", answers=False, switches=stays),
    }
    for m in mix_ratios:
        phase = f"VOG m={m:g}"
        named[f"{phase}, no answers"] = Method(phase, answers=False)
        for strategy in strategies:
            named[f"{phase} + {strategy.rpartition(':')[2]}"] = Method(phase, strategy)
        named[f"{phase} + entropy, balanced"] = Method(phase, "entropy", switches=BALANCED)
        if leak:
            named[f"{phase}, no answers, leak"] = Method(phase, answers=False, leak=True)
            for strategy in strategies[:3]:
                named[f"{phase} + {strategy}, leak"] = Method(phase, strategy, leak=True)
        ours = f"crossfit m={m:g}"
        named[f"{ours}, no answers"] = Method(ours, answers=False)
        for strategy in dict.fromkeys(("rare_entropy", *strategies)):
            if strategy != "bald":  # which needs one network
                named[f"{ours} + {strategy.rpartition(':')[2]}"] = Method(ours, strategy)
        named[f"{ours} + rare_entropy, not balanced"] = Method(
            ours, "rare_entropy", switches={"class_balance": 0}
        )
        for part in WITHOUT:
            named[f"{ours}, without {part}"] = Method(f"{ours}, without {part}", "rare_entropy")
    named["crossfit, all labels clean"] = Method("crossfit clean", answers=False)
    named["all labels clean, balanced"] = Method("clean", answers=False, switches=BALANCED)
    named["all labels clean"] = Method("clean", answers=False)
    return named


def make_cleaner(phase, setting, noise_rate, seed, device="cpu", workers=0):
    """The cleaner of a first phase.

    Parameters
    ----------
    phase : Phase
        The first phase.
    setting : dict
        Epochs, rates, rounds and so on, named as the arguments of the command.
    noise_rate : float
        Share of the training labels that are wrong, for ``forget_rate="true"``.
    seed : int
        Seed of networks and choices.
    device, workers
        Where to compute, and processes that decode images.
    """
    options = {
        "max_epochs": setting["epochs"],
        "batch_size": setting["batch_size"],
        "lr": setting["lr"],
        "random_state": seed,
        "device": device,
    }
    rate = setting["forget_rate"]
    options["forget_rate"] = float(noise_rate) if rate == "true" else rate
    if setting["backbone"] is not None and not setting["frozen"]:
        module = torchvision_classifier(setting["backbone"], weights=setting["weights"])
        train, evaluate = paper_transforms(setting["image_size"])
        options |= {"module": module, "train_transform": train, "eval_transform": evaluate}
    if setting["dropout"]:
        options["module__dropout"] = setting["dropout"]
    if setting["autocast"] is not None:
        options |= {"autocast": setting["autocast"], "channels_last": True}
    if workers:
        options |= {"iterator_train__num_workers": workers, "iterator_valid__num_workers": workers}
    return ActiveLabelCleaner(
        phase.estimator(**{**options, **phase.options}),
        n_rounds=setting["rounds"],
        round_budget=setting["budget"],
        fine_tune_epochs=setting["fine_tune_epochs"],
        random_state=seed,
        **{"fine_tune_lr": setting["fine_tune_lr"], **phase.switches},
    )
