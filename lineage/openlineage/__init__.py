"""Events of runs in OpenLineage 2-0-2, for data catalogues.

The standard's facets do not cover licences, consents and policies.  The project defines facets for
them, with the prefix `tamga_`.  Their schema is `schemas/openlineage/1-0-0.json`.
"""
