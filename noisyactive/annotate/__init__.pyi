from ._csv import read_answers as read_answers
from ._csv import write_queries as write_queries
from ._images import images_of as images_of
from ._label_studio import read_label_studio as read_label_studio
from ._label_studio import write_label_studio as write_label_studio
from ._server import Page as Page
from ._server import serve as serve
