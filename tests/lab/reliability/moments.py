"""The moments at which faults are planted: the host's journal says them, one after the other."""

from __future__ import annotations

from tests.lab.reliability.watch import Moment

# After the pull, without a database here, the next request may be on its way. The host does it.
UNARMED = (Moment("stage"), Moment("validate"))
BEFORE_SWITCH = (*UNARMED, Moment("pull"), Moment("arm"))
HEALTHY = Moment("healthy")  # the confirmation follows within a millisecond: a run is often held after it
AFTER_SWITCH = (Moment("switch", "started"), Moment("switch"), Moment("up"), HEALTHY)
MOMENTS = (*BEFORE_SWITCH, *AFTER_SWITCH, Moment("confirm", "confirmed"))
