"""What is counted of calls that a limit holds back."""


def busiest_second(stamps: list[float]) -> int:
    """The most calls that went out in any one second."""
    return max(sum(1 for other in stamps if start <= other < start + 1) for start in stamps)
