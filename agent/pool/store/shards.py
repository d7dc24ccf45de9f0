"""The rows in the order of their keys, whoever wrote them, for the choice."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from agent.pool.candidates import Candidate
from agent.pool.rows import PoolRow
from agent.pool.store.part import sealed_parts
from agent.pool.store.place import Place
from agent.pool.store.schema import SCHEMA, VIEW_COLUMNS, rows_of, storable
from agent.pool.store.sealed import GROUP_ROWS, SealedPart, opened
from agent.pool.store.store import PartStore
