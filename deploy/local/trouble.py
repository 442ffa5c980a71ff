"""What can go wrong on a person's machine, said in one sentence."""


class CannotContinue(Exception):
    """A foreseeable refusal; its text is one sentence for the person at the terminal: what is wrong and what to do."""
