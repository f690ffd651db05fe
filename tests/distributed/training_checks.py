"""A job: data parallel training, synchronised batch normalisation and the sharded loader."""

from __future__ import annotations

from distributed import data_parallel_checks as data_parallel_checks
from distributed import gradient_bucket_checks as gradient_bucket_checks
from distributed import sharded_loader_checks as sharded_loader_checks
from distributed import sync_batch_norm_checks as sync_batch_norm_checks
from distributed import training_state_checks as training_state_checks
from distributed.checking import run
from distributed.serial_training import comm

run(comm)
