from .audit import find_label_issues as find_label_issues
from .cleaning import ActiveLabelCleaner as ActiveLabelCleaner
from .cleaning import GroundTruthOracle as GroundTruthOracle
from .coteaching import CoTeachingClassifier as CoTeachingClassifier
from .coteaching import CoTeachingVOGClassifier as CoTeachingVOGClassifier
from .imbalance import LongTailSampler as LongTailSampler
from .noise import InstanceDependentLabelNoise as InstanceDependentLabelNoise
from .noise import LabelNoiseSampler as LabelNoiseSampler
from .noise import NoisyLabelsClassifier as NoisyLabelsClassifier
from .noise import PairLabelNoise as PairLabelNoise
from .noise import TransitionLabelNoise as TransitionLabelNoise
from .noise import UniformLabelNoise as UniformLabelNoise
from .query import rank_suspects as rank_suspects

__version__: str
