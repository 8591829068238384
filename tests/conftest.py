from hypothesis import settings

# The same examples in every run, however slow the machine; `pytest
# --hypothesis-profile=default` looks for new ones.
settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")
