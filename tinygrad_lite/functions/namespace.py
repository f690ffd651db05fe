"""The third world: the names that rules use, on tensors.

Under ``create_graph`` the engine runs the very same rules with this module as ``xp``, so that the backward pass
is recorded and can be differentiated again. Of the creation functions it has ``zeros_like`` alone: what a rule
makes must lie on the device of its operands.
"""

from tinygrad_lite.functions.creation import zeros_like as zeros_like
from tinygrad_lite.functions.elementwise import *
from tinygrad_lite.functions.indexing import *
from tinygrad_lite.functions.indexing import add_along_axis as add_along_axis
from tinygrad_lite.functions.indexing import add_at as add_at
from tinygrad_lite.functions.linalg import *
from tinygrad_lite.functions.linalg import contract as contract
from tinygrad_lite.functions.manipulation import *
from tinygrad_lite.functions.reductions import *
