"""The operation table: importing this package declares every row, chapter by chapter."""

from tinygrad_lite.autograd.rules import activations as activations
from tinygrad_lite.autograd.rules import decompositions as decompositions
from tinygrad_lite.autograd.rules import elementwise as elementwise
from tinygrad_lite.autograd.rules import fourier as fourier
from tinygrad_lite.autograd.rules import indexing as indexing
from tinygrad_lite.autograd.rules import manipulation as manipulation
from tinygrad_lite.autograd.rules import network as network
from tinygrad_lite.autograd.rules import norms as norms
from tinygrad_lite.autograd.rules import products as products
from tinygrad_lite.autograd.rules import reductions as reductions
from tinygrad_lite.autograd.rules import scans as scans
from tinygrad_lite.autograd.rules import solvers as solvers
from tinygrad_lite.autograd.rules import sorting as sorting
from tinygrad_lite.autograd.rules import special as special
from tinygrad_lite.autograd.rules import trigonometry as trigonometry
