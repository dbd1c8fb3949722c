"""The moments at which faults are planted: the host's journal says them, one after the other."""

from __future__ import annotations

from tests.lab.reliability.watch import Moment

UNARMED = (Moment("stage"), Moment("validate"), Moment("secrets"))
BEFORE_SWITCH = (*UNARMED, Moment("arm"))  # arm and what follows is one request: the host goes on with it
AFTER_SWITCH = (Moment("switch", "started"), Moment("switch"), Moment("up"), Moment("healthy"))
MOMENTS = (*BEFORE_SWITCH, *AFTER_SWITCH, Moment("confirm", "confirmed"))
