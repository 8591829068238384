import os

# As many processes as cores run tests: what counts on threads is slower with them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hypothesis import HealthCheck, settings

# Networks this small are no quicker on several threads, and results depend on their number.
torch.set_num_threads(1)

# The same examples in every run, however slow the machine; `pytest
# --hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("deterministic")
