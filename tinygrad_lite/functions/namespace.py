"""The third world: the names that rules use, on tensors.

Under ``create_graph`` the engine runs the very same rules with this module as ``xp``, so that the backward pass
is recorded and can be differentiated again. Of the creation functions it has ``zeros_like`` alone: what a rule
makes must lie on the device of its operands.
"""

from tinygrad_lite.functions.activations import *
from tinygrad_lite.functions.complex_numbers import *
from tinygrad_lite.functions.creation import zeros_like as zeros_like
from tinygrad_lite.functions.curves import *
from tinygrad_lite.functions.decompositions import *
from tinygrad_lite.functions.devices import to_device as to_device
from tinygrad_lite.functions.einsum import *
from tinygrad_lite.functions.einsum import contract as contract
from tinygrad_lite.functions.elementwise import *
from tinygrad_lite.functions.elementwise import power as power
from tinygrad_lite.functions.gathering import *
from tinygrad_lite.functions.indexing import *
from tinygrad_lite.functions.indexing import add_along_axis as add_along_axis
from tinygrad_lite.functions.indexing import add_at as add_at
from tinygrad_lite.functions.joining import *
from tinygrad_lite.functions.logic import *
from tinygrad_lite.functions.manipulation import *
from tinygrad_lite.functions.manipulation import cast as astype  # type: ignore[assignment]  # noqa: F401  (rules want no copy)
from tinygrad_lite.functions.matrices import *
from tinygrad_lite.functions.nan_reductions import *
from tinygrad_lite.functions.network import *
from tinygrad_lite.functions.norms import *
from tinygrad_lite.functions.products import *
from tinygrad_lite.functions.reductions import *
from tinygrad_lite.functions.repeating import *
from tinygrad_lite.functions.rounding import *
from tinygrad_lite.functions.scans import *
from tinygrad_lite.functions.sets import *
from tinygrad_lite.functions.solvers import *
from tinygrad_lite.functions.sorting import *
from tinygrad_lite.functions.special import *
from tinygrad_lite.functions.statistics import *
from tinygrad_lite.functions.triangles import *
from tinygrad_lite.functions.trigonometry import *
from tinygrad_lite.functions.trigonometry import sinc_derivative as sinc_derivative
from tinygrad_lite.functions.windows import *
from tinygrad_lite.functions.windows import overlap_add as overlap_add
