"""What holds for all tests."""

import signal

from hypothesis import HealthCheck, settings

# A busy machine fails no example for the time it took, and every run tries the same ones.
settings.register_profile(
    "tests", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so the programs that they start and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
