"""Reports about a release, and its description in the form of other standards.

Each report is one module of pure functions from `facts.Facts` to a value or bytes.  The same
release gives the same bytes.  The only date in a report is the release's `as_of`.
"""
