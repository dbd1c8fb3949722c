"""What goes wrong in the lab, in words an operator can act on."""


class LabError(Exception):
    """The lab could not do what was asked; the text says why and what to do."""
