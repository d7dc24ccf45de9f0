"""An engine in this process: starting others takes seconds."""

from collections.abc import Callable, Sequence

from agent.pool.engine import AnalysisProgress, MakesAnalyser, RowStore
from agent.pool.items import PoolItem


class InlineEngine:
    """Analyses one item after the other; `analysed` are the keys of those of all runs."""

    def __init__(self) -> None:
        self.analysed: list[str] = []

    def run(
        self,
        items: Sequence[PoolItem],
        make_analyser: MakesAnalyser,
        open_store: Callable[[], RowStore],
        progress: Callable[[AnalysisProgress], None],
    ) -> None:
        store = open_store()
        finished = store.finished()
        left = [item for item in items if item.identity not in finished]
        if not left:
            return
        analyser, part = make_analyser(), store.part("inline")
        for done, item in enumerate(left, 1):
            self.analysed.append(item.key)
            for row in analyser.rows(item, first_frame=part.next_frame(item.identity)):
                part.add(row)
            part.finish(item.identity)
            progress(AnalysisProgress(done, len(left), done, 0))
        part.close()
