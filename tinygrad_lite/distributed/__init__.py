"""Training on many ranks: a communicator over MPI, shared memory or nothing at all.

    from tinygrad_lite import distributed as dist

    comm = dist.init()
    total = comm.allreduce(x)

The same program runs on one process without MPI, under ``mpirun -n 4`` on one host, and on many hosts.
"""

from tinygrad_lite.distributed.buffers import Buffers as Buffers
from tinygrad_lite.distributed.collectives import allreduce as allreduce
from tinygrad_lite.distributed.collectives import copy_to as copy_to
from tinygrad_lite.distributed.collectives import gather_from as gather_from
from tinygrad_lite.distributed.collectives import reduce_from as reduce_from
from tinygrad_lite.distributed.collectives import scatter_to as scatter_to
from tinygrad_lite.distributed.communicator import Communicator as Communicator
from tinygrad_lite.distributed.data_parallel import DataParallel as DataParallel
from tinygrad_lite.distributed.grid import Grid as Grid
from tinygrad_lite.distributed.loader import ShardedLoader as ShardedLoader
from tinygrad_lite.distributed.parameter_server import ParameterServer as ParameterServer
from tinygrad_lite.distributed.reproducible import ReproducibleDataParallel as ReproducibleDataParallel
from tinygrad_lite.distributed.start import init as init
from tinygrad_lite.distributed.state import broadcast_state as broadcast_state
from tinygrad_lite.distributed.stragglers import Stragglers as Stragglers
from tinygrad_lite.distributed.stragglers import harmonic as harmonic
from tinygrad_lite.distributed.sync_batch_norm import SyncBatchNorm as SyncBatchNorm
from tinygrad_lite.distributed.tensor_parallel import ColumnParallelLinear as ColumnParallelLinear
from tinygrad_lite.distributed.tensor_parallel import RowParallelLinear as RowParallelLinear
from tinygrad_lite.distributed.tensor_parallel import full_state_dict as full_state_dict
from tinygrad_lite.distributed.tensor_parallel import load_full_state_dict as load_full_state_dict
