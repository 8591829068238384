"""Tables, figures and reports of label noise, trusted labels and cleaning."""

from ._cleaning_curve import CleaningCurveDisplay
from ._cleaning_report import cleaning_report
from ._dynamics import TrainingDynamicsDisplay
from ._html import to_html
from ._loss_vog import LossVOGDisplay
from ._noise_report import noise_report
from ._remaining import RemainingErrors, remaining_errors
from ._selection_display import SelectionDisplay
from ._selection_report import selection_report
from ._suspects import SuspectsDisplay
from ._transition_matrix import TransitionMatrixDisplay

__all__ = [
    "CleaningCurveDisplay",
    "LossVOGDisplay",
    "RemainingErrors",
    "SelectionDisplay",
    "SuspectsDisplay",
    "TrainingDynamicsDisplay",
    "TransitionMatrixDisplay",
    "cleaning_report",
    "noise_report",
    "remaining_errors",
    "selection_report",
    "to_html",
]
