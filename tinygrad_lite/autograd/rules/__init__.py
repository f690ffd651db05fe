"""The operation table: importing this package declares every row, chapter by chapter."""

from tinygrad_lite.autograd.rules import elementwise as elementwise
from tinygrad_lite.autograd.rules import indexing as indexing
from tinygrad_lite.autograd.rules import linalg as linalg
from tinygrad_lite.autograd.rules import manipulation as manipulation
from tinygrad_lite.autograd.rules import network as network
from tinygrad_lite.autograd.rules import reductions as reductions
