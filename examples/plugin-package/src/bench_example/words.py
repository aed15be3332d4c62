"""What the defense shares with whoever else needs it."""


def first(caption: str, count: int) -> str:
    """The first words of a caption; one that is as short comes back as it was."""
    words = caption.split()
    return caption if len(words) <= count else " ".join(words[:count])
