"""What the documents quote of the program are its real words."""

import re

from tree import SOURCE, code_files, expect_none, tracked_files

# Words of the system, which the program passes on.
OF_THE_SYSTEM = {"No space left on device"}


def messages() -> list[str]:
    """Every string literal of the program, neighbours joined as the compiler joins them, {…} of fmt as …."""
    found = []
    for name in code_files(tracked_files(SOURCE)):
        text = (SOURCE / name).read_text(encoding="utf-8")
        for run in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*', text):
            joined = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', run))
            found.append(re.sub(r"\{[^{}]*\}", "…", joined))
    return found


def quoted() -> list[str]:
    """What stands in backticks in the first column of the table of symptoms, but for names of files."""
    table = (SOURCE / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    first_columns = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return [words for column in first_columns for words in re.findall(r"`([^`]+)`", column) if " " in words]


def test_messages_in_the_table_of_symptoms_are_the_programs() -> None:
    known = messages()
    assert len(known) > 500 and len(quoted()) > 5, "neither list is empty"
    unknown = []
    for words in set(quoted()) - OF_THE_SYSTEM:
        parts = [re.escape(part.strip()) for part in words.split("…") if part.strip()]
        pattern = re.compile(".*".join(parts))
        if not any(pattern.search(message) for message in known):
            unknown.append(words)
    expect_none(unknown, "docs/troubleshooting.md quotes what no message says")
