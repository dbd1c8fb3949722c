"""Every fault x every step: cases as data, one runner, and a checker that shares no code with the tool."""
