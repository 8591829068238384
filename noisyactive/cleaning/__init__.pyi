import noisyactive.journal as _journal

from ._cleaner import ActiveLabelCleaner as ActiveLabelCleaner
from ._crossfit import CrossFit as CrossFit
from ._ensemble import CrossFitEnsemble as CrossFitEnsemble
from ._oracles import GroundTruthOracle as GroundTruthOracle
from ._parameters import PAPER_PARAMS as PAPER_PARAMS

# lazy_loader takes names from the package's own modules alone: not "from ..journal import".
Journal = _journal.Journal
OpenItem = _journal.OpenItem
Progress = _journal.Progress
