"""Events of runs in OpenLineage 2-0-2, for catalogues that other systems feed too.

Its facets stop at the column and know no licence, consent or policy: those are facets of our own,
with the prefix `tamga_`, their schema in `schemas/openlineage/1-0-0.json`.
"""
