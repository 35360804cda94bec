"""What a release tells to the outside: reports, and its description in others' standards.

One module per report: pure functions from `facts.Facts` to a value or bytes.  The same release
gives the same bytes; no time but its `as_of` stands in them.
"""
