"""Puts in place what a run needs and does not find: engine, base model, tokenizer, pictures."""

from collections.abc import Callable
from functools import partial

from kohya_wrap import base_models, dataset
from kohya_wrap.base_models.tokenizers import obtain_tokenizers
from kohya_wrap.errors import EngineError, Problem
from kohya_wrap.events import FETCHING, Event, Notice, Progress
from kohya_wrap.planning import Plan, Provided


def provide(planned: Plan, tell: Callable[[Event], None], *, offline: bool) -> Provided:
    """Find, fetch or make each; `offline`: nothing is fetched. Raises EngineError, a BaseModelError, OutputError."""

    def say(text: str) -> None:
        tell(Notice(text))

    def progress(done: int, total: int) -> None:
        tell(Progress(FETCHING, done, total))

    cache = planned.cache
    if offline and planned.status.missing:
        what = "the engine is not set up, and --offline keeps this run from doing it"
        offline_problem = Problem("", what, "run `kohya-wrap setup` once, with a network")
        raise EngineError.of((offline_problem, *planned.status.missing))
    status = planned.engine.setup(say) if planned.status.missing else planned.status
    fetch = partial(
        base_models.obtain, cache=cache, say=say, on_progress=progress, offline=offline, python=status.python
    )
    base = fetch(planned.located)
    vae = fetch(planned.vae) if planned.vae else None
    if base.builtin:
        planned.engine.make_builtin_base(base, say)
    tokenizers = None
    if planned.needs_tokenizers:
        tokenizers = obtain_tokenizers(planned.family, cache=cache, say=say, offline=offline)
    dataset.materialise(planned.dataset)
    return Provided(status, base, vae.path if vae else None, tokenizers)
