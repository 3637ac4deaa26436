"""A story: one documented procedure, or one refusal, from a start state to its outcome."""

from collections.abc import Callable
from dataclasses import dataclass

from .walk import Sentence, Walk, sentence


@dataclass(frozen=True)
class Story:
    """`id` names its recording; `scenario` is the sandbox scenario that it starts from."""

    id: str
    title: Sentence
    scenario: str
    walk: Callable[[Walk], None]


def story(story_id: str, fr: str, en: str, scenario: str, walk: Callable[[Walk], None]) -> Story:
    return Story(story_id, sentence(fr, en), scenario, walk)
