"""The issues of an invoice: whoever checks it speaks for one component, and each new check replaces only its own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dashboard.billing.views import Issue

CRITICAL = "critical"
WARNING = "warning"


def replace_issues(known: Sequence[Issue], component: str, found: Iterable[Issue]) -> tuple[Issue, ...]:
    """What is known after a component was asked again: its old issues go, the new ones come."""
    return (
        *(issue for issue in known if issue.component != component),
        *(replace(issue, component=component) for issue in found),
    )


def downgrade_critical(known: Sequence[Issue]) -> tuple[Issue, ...]:
    """A retry starts by doubting every critical issue; what is still wrong comes back as critical."""
    return tuple(replace(issue, severity=WARNING) if issue.severity == CRITICAL else issue for issue in known)


def has_critical(issues: Iterable[Issue]) -> bool:
    return any(issue.severity == CRITICAL for issue in issues)
