"""One module a subject: `read()` touches the host, `parse(text)` is pure."""
