"""Tables that a bench writes into a page of its own accord, between two marks."""


def write_between(page, begin, end, lines):
    """Replaces what lies between the marks `begin` and `end` of the file `page`."""
    text = page.read_text(encoding="utf-8")
    first, last = text.index(begin) + len(begin), text.index(end)
    page.write_text(text[:first] + "\n" + "\n".join(lines) + "\n" + text[last:], encoding="utf-8")
