"""For Ray Data: `Verifier`, a callable class for `map_batches`."""

from reexec.runners.ray_data import Verifier

__all__ = ["Verifier"]
