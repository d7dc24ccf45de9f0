"""Batches of keys: complete, in order, small, and named by what is in them."""

from hypothesis import given
from hypothesis import strategies as st

from agent.pool.engine import Kept
from agent.pool.engines.messages import Task
from agent.pool.engines.ray.batches import batch_size, batches, packed, unpacked
from agent.pool.engines.task_queue import TaskQueue
from agent.pool.items import ItemKind, PoolItem

NAMES = st.text("aé/\n\udcff", min_size=1, max_size=9)
TASKS = st.builds(
    Task,
    st.builds(
        PoolItem, NAMES, st.sampled_from(ItemKind), NAMES, st.just("") | NAMES, st.integers(0)
    ),
    st.integers(0, 10**9),
)


@given(st.lists(TASKS, min_size=1, max_size=20))
def test_tasks_arrive_as_they_were_sent(tasks: list[Task]) -> None:
    """Names of files need not be UTF-8."""
    assert unpacked(packed(tasks).data) == tasks


@given(
    kinds=st.lists(st.sampled_from(ItemKind), max_size=60),
    finished=st.sets(st.integers(0, 59)),
    size=st.integers(1, 9),
)
def test_each_item_that_is_left_is_in_one_batch(
    kinds: list[ItemKind], finished: set[int], size: int
) -> None:
    items = [PoolItem(f"/{number:03}", kind, "a") for number, kind in enumerate(kinds)]
    done = frozenset(item.key for item in items if int(item.key[1:]) in finished)
    cut = list(batches(TaskQueue(items, Kept(done, {}, 0, 0)), size))
    sent = [[task.item for task in unpacked(batch.data)] for batch in cut]

    assert sorted(item.key for some in sent for item in some) == [
        item.key for item in items if item.key not in done
    ]
    assert len({batch.part for batch in cut}) == len(cut)
    for batch, some in zip(cut, sent, strict=True):
        assert batch.items == len(some) <= size
        assert len(some) == 1 or all(item.kind is not ItemKind.RECORDING for item in some)


def test_the_name_of_a_part_comes_from_its_keys_alone() -> None:
    one, other = (Task(PoolItem(key, ItemKind.IMAGE, "a")) for key in ("/1", "/2"))

    assert packed([one]).part == packed([Task(one.item, first_frame=3)]).part
    assert packed([one]).part != packed([other]).part


def test_ten_million_keys_are_few_bytes_for_the_driver() -> None:
    tasks = [Task(PoolItem(f"/pool/{n:08}.jpg", ItemKind.IMAGE, "a", size=n)) for n in range(1024)]

    assert batch_size(10_000_000, 512) == 1024
    assert len(packed(tasks).data) < 20 * 1024
