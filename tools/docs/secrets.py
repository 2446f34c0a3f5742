"""What redaction finds in lines with secrets, misses, and hides by mistake."""

from __future__ import annotations

from collections import Counter

from synapse_otel.redaction import redact_text
from tools.docs.markdown import table
from tools.docs.secret_lines import harmless, hidden_part, kinds, lines


def secrets() -> str:
    """Return a table of how many lines were made, and of how many nobody can read the secret."""
    made: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    example: dict[str, str] = {}
    for line in lines():
        made[line.where] += 1
        missed[line.where] += hidden_part(line.kind) in redact_text(line.text)
        example.setdefault(line.where, line.text.replace(line.kind.secret, "…"))
    rows = [
        (where, f"`{example[where]}`", str(made[where]), str(made[where] - missed[where]), str(missed[where]))
        for where in made
    ]
    total = sum(made.values()), sum(made.values()) - sum(missed.values()), sum(missed.values())
    rows.append(("**all**", "", str(total[0]), str(total[1]), str(total[2])))
    good = list(harmless())
    wrong = sum(redact_text(text) != text for text in good)
    kinds_named = ", ".join(kind.what for kind in kinds())
    return (
        f"{table(('where', 'for example', 'lines', 'hidden', 'missed'), rows)}\n\n"
        f"Of {len(good)} lines without a secret, {wrong} were changed. The {len(kinds())} kinds: {kinds_named}."
    )
