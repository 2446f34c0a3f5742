"""Brief log records: the common part of all records of one kind is stored once per segment, as a template."""

from __future__ import annotations

from synapse_otel.journal.frames import Brief, Log, Template


class Templates:
    """The templates that a reader has seen."""

    def __init__(self) -> None:
        self._known: dict[int, Template] = {}

    def take(self, template: Template) -> None:
        """Add a template."""
        self._known[template.id] = template

    def whole(self, brief: Brief) -> Log | None:
        """Return the complete record of a brief one; None if its template is damaged."""
        template = self._known.get(brief.template)
        if template is None:
            return None
        attributes = template.attributes.copy()
        if brief.data:
            prefix = template.prefix
            for key, value in brief.data.items():
                attributes[prefix + key] = value
        return Log(
            brief.time,
            template.severity,
            template.severity_text,
            template.event_name,
            brief.body,
            attributes,
            template.span,
            template.scope,
        )
