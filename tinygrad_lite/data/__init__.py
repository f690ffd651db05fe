"""Data: sets that load themselves, and loaders that cut any set into batches of Tensors."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite.data import idx
from tinygrad_lite.data.collate import default_collate
from tinygrad_lite.data.datasets import Dataset, Subset, TensorDataset, random_split
from tinygrad_lite.data.digits import DigitData, load_digits
from tinygrad_lite.data.loader import DataLoader
from tinygrad_lite.data.mnist import download_mnist, load_mnist
from tinygrad_lite.data.samplers import BatchSampler, RandomSampler, SequentialSampler
from tinygrad_lite.dialects import refusing as _refusing

__all__ = [
    "BatchSampler",
    "DataLoader",
    "Dataset",
    "DigitData",
    "RandomSampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "default_collate",
    "download_mnist",
    "idx",
    "load_digits",
    "load_mnist",
    "random_split",
]

if not _TYPE_CHECKING:  # mypy knows every name
    __getattr__ = _refusing("tinygrad_lite.data")
