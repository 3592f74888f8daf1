"""A mirror that accepts connections, never reads and never answers."""
from harness.faulty import Hang

from .dead import against

ORDER = 50


def run(bench):
    against(bench, "Hanging mirror", "the mirror accepts, never reads and never answers (nginx gives up after 10 s, as "
            "mod_proxy_mirror does)", Hang(), settle=0, others_in_turn=False)
